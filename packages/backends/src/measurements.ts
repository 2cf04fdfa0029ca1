/** A measurement of this machine, which outlives the process where the system has files. */
export interface Measurements<Value> {
  /** The value of the last `write`; undefined if there is none, or if the file is damaged. */
  read(): Promise<Value | undefined>;
  /** Stores the value; without a file, the next process measures again. */
  write(value: Value): Promise<void>;
}

/** What a measurement is of. */
export interface MeasurementOptions<Value> {
  /** Name of the file in the user's cache folder (`LOCALGRAD_CACHE` names another folder). */
  readonly file: string;
  /** What the value depends on besides the machine, its runtime, and the options of the backend. */
  readonly circumstances?: readonly string[];
  /** Whether a value in the file is one: other versions, and other programs, may have written it. */
  isValue(value: unknown): value is Value;
}
