/** A minimal summary. */
export function summaryOf(runId: string): object {
  return {
    formatVersion: 1,
    runId,
    config: {},
    backend: 'cpu',
    objectives: [],
    probes: null,
    cost: {
      backboneParameters: 1,
      trainedParameters: 1,
      unitsOfWork: 3,
      multiplyAccumulatesPerImage: 1,
      predictedPeakBytes: 1,
    },
    testAccuracy: 0.5,
    bestTestAccuracy: 0.5,
    seconds: 1,
    totalSeconds: 1,
    peakBytes: 1,
    steps: 1,
    resumptions: 0,
    epochs: [],
  };
}
