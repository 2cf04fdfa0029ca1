/** The functions of jstat that are used here; it ships no types. */
declare module 'jstat' {
  const library: {
    readonly jStat: {
      readonly normal: {
        cdf(x: number, mean: number, standardDeviation: number): number;
        inv(probability: number, mean: number, standardDeviation: number): number;
      };
    };
  };
  export default library;
}
