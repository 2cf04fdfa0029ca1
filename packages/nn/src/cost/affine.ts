/** Batch sizes at which costs are measured. */
const sizes = [2, 4] as const;

/** A quantity that grows affinely with the batch size, from two measurements. Never negative. */
export function affineInBatchSize(measure: (batchSize: number) => number): (batchSize: number) => number {
  const [small, large] = sizes.map(measure);
  if (small === undefined || large === undefined) return () => 0;
  const slope = (large - small) / (sizes[1] - sizes[0]);
  return (batchSize) => Math.max(0, small + slope * (batchSize - sizes[0]));
}
