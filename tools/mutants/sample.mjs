import { createHash } from 'node:crypto';

/**
 * A part of the mutants, determined by the seed and by each mutant's text: a change elsewhere in a file does not replace the
 * others. 0 stands for all.
 */
export function sampleOf(mutants, count, seed) {
  if (count === 0 || count >= mutants.length) return mutants;
  const rank = ({ id }) => createHash('sha256').update(`${seed}/${id}`).digest('hex');
  return mutants
    .map((mutant) => ({ mutant, rank: rank(mutant) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .slice(0, count)
    .map(({ mutant }) => mutant);
}
