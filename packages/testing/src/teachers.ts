import type { CompiledPlan } from '@localgrad/engine';

/** A loss, and those of the modules that its head learns from, if it synthesizes gradients. */
export function withTeachers({ objectives, heads }: CompiledPlan, id: string): ReadonlySet<string> {
  const kept = new Set([id]);
  const learners = new Set(
    [...heads.values()].flat().flatMap(({ key, head }) => (head.synthesize === undefined ? [] : [key])),
  );
  // A set also visits what is added meanwhile.
  for (const one of kept) {
    const { head, span } = objectives.find((objective) => objective.id === one) ?? {};
    if (head === undefined || span === undefined || !learners.has(head.key)) continue;
    for (const other of objectives) if (other.span[0] === span[1] + 1) kept.add(other.id);
  }
  return kept;
}
