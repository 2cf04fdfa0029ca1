import type { TrainingProgress } from '@localgrad/train';
import { z } from 'zod';
import { canonicalJson, sha256 } from '../folder/hash.js';
import { rejectNewer } from '../folder/newer-version.js';

export const checkpointFormatVersion = 1;

/** What a checkpoint's JSON file contains, apart from its own checksum. */
export interface CheckpointDescription<Notes> {
  readonly formatVersion: number;
  readonly runId: string;
  readonly tensors: { readonly bytes: number; readonly sha256: string };
  readonly progress: TrainingProgress;
  readonly notes: Notes;
}

const amount = z.number().min(0);
const count = z.int().min(0);

/** Unknown keys are kept. */
const schema = z.looseObject({
  formatVersion: z.literal(checkpointFormatVersion),
  runId: z.string(),
  tensors: z.looseObject({ bytes: count, sha256: z.string() }),
  progress: z.looseObject({
    step: count,
    epoch: z.int().min(1),
    batchesDone: count,
    losses: z.looseObject({}),
    records: z.array(z.looseObject({ epoch: z.int().min(1) })),
    seconds: amount,
    totalSeconds: amount,
    resumptions: count,
  }),
  notes: z.unknown(),
});

/** Serializes a description, with a checksum of its content. */
export function describe<Notes>(description: CheckpointDescription<Notes>): string {
  return `${JSON.stringify({ sha256: sha256(canonicalJson(description)), ...description }, null, 1)}\n`;
}

/**
 * @param file name for messages
 * @returns the description, or its problem
 * @throws LocalgradError as `rejectNewer`
 */
export function readDescription<Notes>(
  text: string,
  file: string,
): CheckpointDescription<Notes> | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `it is not JSON (${error instanceof Error ? error.message.slice(0, 120) : String(error)})` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { problem: 'it is not a description' };
  // Before the checksum, which a newer version may form otherwise.
  rejectNewer(value, file, checkpointFormatVersion);
  const { sha256: checksum, ...description }: Readonly<Record<string, unknown>> = { ...value };
  if (checksum !== sha256(canonicalJson(description))) return { problem: 'its checksum does not match its content' };
  const { formatVersion } = description;
  if (formatVersion !== checkpointFormatVersion) {
    return { problem: `it has format version ${String(formatVersion)}; this program reads ${checkpointFormatVersion}` };
  }
  const { error } = schema.safeParse(description);
  const [issue] = error?.issues ?? [];
  if (issue !== undefined) return { problem: `it is not a description (${issue.path.join('.')}: ${issue.message})` };
  return description as unknown as CheckpointDescription<Notes>;
}
