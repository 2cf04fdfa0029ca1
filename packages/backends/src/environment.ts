/** Environment of a run: what its results depend on besides the config. */
export interface Environment {
  readonly runtime: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** 0 in browsers, which do not report it. */
  readonly memoryBytes: number;
  readonly tfjs: string;
}
