import {
  type BackboneFactory,
  buildBackbone,
  buildHead,
  callOwn,
  faultOfMembers,
  LocalgradError,
  type LocalLearningMethod,
  type MemberType,
  memberOf,
  ownError,
  planOf,
  requireSynchronous,
  returnIt,
} from '@localgrad/core';
import type { DatasetSplits } from '@localgrad/data';
import type { NamedHeadFactory } from '@localgrad/nn/heads';
import { type Factories, labels, type TableName } from './factories.js';

/** What a factory of one kind returns. */
interface Contract {
  readonly signature: string;
  /** Required members of a created thing, with their types. */
  readonly members: Readonly<Record<string, MemberType>>;
}

const method = { name: 'string', config: 'object', plan: 'function' } as const;

export const contracts: Readonly<Record<TableName, Contract>> = {
  methods: { signature: '(options) => LocalLearningMethod', members: method },
  decorators: { signature: '(of, options) => LocalLearningMethod', members: method },
  backbones: {
    signature: '(options) => BackboneFactory',
    members: { name: 'string', config: 'object', build: 'function' },
  },
  datasets: {
    signature: '(options) => DatasetSplits, or a promise of it',
    members: { config: 'object', train: 'object', test: 'object' },
  },
  heads: { signature: '(options) => HeadFactory', members: { name: 'string', build: 'function' } },
  optimizers: {
    signature: '(options) => Optimizer',
    members: {
      config: 'object',
      stateBytes: 'function',
      update: 'function',
      state: 'function',
      load: 'function',
      dispose: 'function',
    },
  },
  schedules: { signature: '(options) => Schedule', members: { config: 'object', rate: 'function' } },
};

type Thing<Name extends TableName> = Awaited<ReturnType<Factories[Name]>>;

/**
 * Calls a factory, which may be written in JavaScript, and checks what it creates; so do the functions `plan` and `build` of the
 * result.
 *
 * @throws LocalgradError `invalid-option`, `misuse`
 */
export function createThing<Name extends Exclude<TableName, 'datasets'>>(
  table: Name,
  name: string,
  create: () => Thing<Name>,
): Thing<Name> {
  const factory = factoryOf(table, name);
  const created = callOwn(factory, create);
  requireSynchronous(created, factory, returnIt(labels[table === 'decorators' ? 'methods' : table]));
  check(table, name, created);
  return withChecks(table, created);
}

/** As `createThing`, for data sets: their factories may be asynchronous. */
export async function createDataset(
  name: string,
  create: () => DatasetSplits | Promise<DatasetSplits>,
): Promise<DatasetSplits> {
  const factory = factoryOf('datasets', name);
  let created: DatasetSplits;
  try {
    created = await create();
  } catch (error) {
    // Another machine may have the files that this one lacks.
    throw ownError(factory, error, 'invalid-data');
  }
  check('datasets', name, created);
  return created;
}

function factoryOf(table: TableName, name: string): string {
  return `The ${labels[table]} factory of '${name}'`;
}

function withChecks<Name extends TableName>(table: Name, created: Thing<Name>): Thing<Name> {
  if (table === 'methods' || table === 'decorators')
    return checkedMethod(created as LocalLearningMethod) as Thing<Name>;
  if (table === 'backbones') return checkedBackbone(created as BackboneFactory) as Thing<Name>;
  if (table === 'heads') return checkedHead(created as NamedHeadFactory) as Thing<Name>;
  return created;
}

// Members are named, since a spread copies none that a class defines.
function checkedMethod(of: LocalLearningMethod): LocalLearningMethod {
  const { specVersion, name, config } = of;
  return { ...of, specVersion, name, config, plan: (network) => planOf(of, network) };
}

function checkedBackbone(of: BackboneFactory): BackboneFactory {
  const { name, config, images } = of;
  return {
    ...of,
    name,
    config,
    ...(images === undefined ? {} : { images }),
    build: (options) => buildBackbone(of, options),
  };
}

function checkedHead(of: NamedHeadFactory): NamedHeadFactory {
  const { name, config, borrows, terms } = of;
  return {
    ...of,
    name,
    config,
    ...(borrows === undefined ? {} : { borrows }),
    ...(terms === undefined ? {} : { terms }),
    build: (context, scope) => buildHead(of, context, scope),
  };
}

function check(table: TableName, name: string, thing: unknown): void {
  const { members, signature } = contracts[table];
  const fault = faultOfMembers(thing, members);
  if (fault !== undefined) {
    throw new LocalgradError(
      'invalid-option',
      `The ${labels[table]} that '${name}' creates ${fault}. Expected: ${signature}.`,
      { name },
    );
  }
  const isMethod = table === 'methods' || table === 'decorators';
  const specVersion = memberOf(thing, 'specVersion');
  if (isMethod && specVersion !== 'v1') {
    throw new LocalgradError(
      'invalid-option',
      `The ${labels[table]} that '${name}' creates has specVersion '${String(specVersion)}'; this version of localgrad supports 'v1'. Another version of the package may support it.`,
      { name, specVersion },
    );
  }
}
