import type {
  Block,
  BlockCost,
  BlockGeometry,
  Cotangents,
  Mode,
  Parameter,
  ParameterScope,
  Pass,
  Shape3,
  Want,
} from '@localgrad/core';
import { at } from '@localgrad/core';
import { type BatchNormGradient, currentKernels } from '@localgrad/kernels';
import { dispose, type Tensor, type Tensor4D } from '@tensorflow/tfjs';
import { normalization } from './batch-norm-parameters.js';
import { chainCost, chainVjpPeak, wantsMasked } from './convolution-chain-cost.js';
import { filterShape, normalizeUnit, type UnitResidual } from './convolution-steps.js';
import {
  type ChainStructure,
  type ConvolutionUnit,
  isTrained,
  unitParameters,
  unitStatistics,
} from './convolution-unit.js';
import { keepNormGradients } from './norm-steps.js';
import { evaluationPass, TrainingPass } from './pass.js';
import { savesMap } from './saved-maps.js';
import {
  convolutionFilterGradient,
  convolutionInputGradient,
  convolve,
  convolveUnit,
  isOrdinary,
} from './unit-convolution.js';
import type { FrugalBlock, VjpReads } from './vjp-reads.js';
import { type MeansBlock, type VjpOfMeans, vjpOfMap } from './window-means.js';

export interface ChainOptions extends ChainStructure {
  readonly name: string;
  readonly replicate: (scope: ParameterScope) => Block;
  readonly resize?: (scope: ParameterScope, geometry: BlockGeometry) => Block;
}

/** Residual of a projection: its 1×1 convolution is cheap, so its output is recomputed instead of stored. */
type ProjectionResidual = Omit<UnitResidual, 'z'> & { readonly z?: Tensor4D };

interface Residuals {
  readonly units: readonly UnitResidual[];
  readonly shortcut: ProjectionResidual | undefined;
}

/**
 * A sequence of convolutions with batch norm and an optional shortcut; implements stems, BasicBlock and Bottleneck.
 *
 * The backward pass needs little more memory than the residuals: every cotangent overwrites a tensor that is no longer
 * needed, and at most one recomputed activation is alive at a time.
 */
export class ConvolutionChain implements FrugalBlock, MeansBlock {
  readonly name: string;
  readonly inputShape: Shape3;
  readonly outputShape: Shape3;
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Parameter[];
  readonly cost: BlockCost;
  readonly vjpReads: VjpReads;
  readonly ofMeans: VjpOfMeans;
  readonly replicate: (scope: ParameterScope) => Block;
  readonly resize?: (scope: ParameterScope, geometry: BlockGeometry) => Block;
  readonly #structure: ChainOptions;
  readonly #projection: ConvolutionUnit | undefined;

  constructor(options: ChainOptions) {
    const { units, shortcut } = options;
    this.name = options.name;
    this.#structure = options;
    this.#projection = typeof shortcut === 'string' ? undefined : shortcut;
    const all = this.#projection === undefined ? units : [...units, this.#projection];
    this.inputShape = at(units, 0, 'unit').inputShape;
    this.outputShape = at(units, units.length - 1, 'unit').outputShape;
    this.parameters = all.flatMap(unitParameters);
    this.statistics = all.flatMap(unitStatistics);
    this.cost = chainCost(options);
    // Without a shortcut, the last ReLU's mask can be recomputed from the convolution's output.
    this.vjpReads = { input: true, output: shortcut !== 'none' && options.relu && options.recomputeOutput !== true };
    const byMap = vjpOfMap(this);
    const readsMeans = (want: Want) => !wantsMasked(options, want);
    this.ofMeans = {
      vjp: (pass, means, want) => {
        const isDirect = readsMeans(want) && currentKernels().pooledBatchNormGradient !== undefined;
        return (isDirect ? this : byMap).vjp(pass, means, want);
      },
      peakBytes: (batchSize, want, means) =>
        readsMeans(want) && savesMap('pooledBatchNormGradient')
          ? chainVjpPeak(options, batchSize, want, { means })
          : byMap.peakBytes(batchSize, want, means),
    };
    this.replicate = options.replicate;
    if (options.resize !== undefined) this.resize = options.resize;
  }

  /** A view of the same block, sharing its weights, for callers that do not keep its output for the backward pass. */
  withRecomputedOutput(): ConvolutionChain {
    return new ConvolutionChain({ ...this.#structure, recomputeOutput: true });
  }

  forward(x: Tensor4D, mode: Mode): Pass {
    const { units, shortcut, relu, recompute } = this.#structure;
    const residuals: UnitResidual[] = [];
    const last = units.length - 1;
    const drop = !mode.training || recompute;
    let activation = x;
    for (const unit of units.slice(0, last)) {
      const convolved = convolveUnit(unit, activation, mode);
      if (drop && activation !== x) activation.dispose();
      const { residual, output } = normalizeUnit(unit, convolved, mode, undefined, true);
      activation = output;
      residuals.push(drop ? residual : { z: residual.z, statistics: residual.statistics, y: activation });
    }
    const unit = at(units, last, 'unit');
    const convolved = convolveUnit(unit, activation, mode);
    if (drop && activation !== x) activation.dispose();
    const projected = this.#projection === undefined ? undefined : this.#project(this.#projection, x, mode);
    const added = shortcut === 'identity' ? x : projected?.output;
    const { residual, output } = normalizeUnit(unit, convolved, mode, added, relu);
    projected?.output.dispose();
    residuals.push(residual);
    if (!mode.training) return evaluationPass(x, output);
    return new TrainingPass<Residuals>(this, x, output, { units: residuals, shortcut: projected?.residual }, (kept) =>
      dispose([kept.units, kept.shortcut] as never),
    );
  }

  vjp(pass: Pass, dy: Tensor4D, want: Want): Cotangents {
    const residuals = TrainingPass.open<Residuals>(this, pass, want.release);
    const gradients = new Map<Parameter, Tensor>();
    const { units, shortcut } = this.#structure;
    const last = units.length - 1;
    const x = pass.input;

    const { mask, projected } = this.#lastMask(pass, residuals);
    let cotangent = this.#throughNorm(last, residuals, dy, mask, want, gradients);
    if (typeof mask === 'object' && mask !== pass.output) mask.dispose();
    const { masked } = cotangent;
    let shortcutCotangent = masked;
    const { shortcut: kept } = residuals;
    if (this.#projection !== undefined && kept !== undefined && masked !== undefined) {
      // Runs before the main path, so that its residual and the masked cotangent are freed as early as possible.
      shortcutCotangent = this.#unproject(
        this.#projection,
        { ...kept, ...(projected === undefined ? {} : { z: projected }) },
        x,
        masked,
        want,
        gradients,
      );
    }
    for (let index = last; index > 0; index--) {
      const unit = at(units, index, 'unit');
      this.#filterGradient(index, residuals, cotangent.dx, want, gradients);
      const below = convolutionInputGradient(unit, cotangent.dx);
      const kept = residuals.units[index - 1]?.y;
      cotangent = this.#throughNorm(index - 1, residuals, below, kept ?? 'recompute', want, gradients);
      if (want.release) kept?.dispose();
    }
    const first = at(units, 0, 'unit');
    if (want.parameters && isTrained(first.weight)) {
      gradients.set(first.weight, convolutionFilterGradient(first, x, cotangent.dx));
    }
    if (!want.input) {
      cotangent.dx.dispose();
      return { parameters: gradients };
    }
    const input = convolutionInputGradient(first, cotangent.dx, shortcut === 'none' ? undefined : shortcutCotangent);
    shortcutCotangent?.dispose();
    return { input, parameters: gradients };
  }

  /** The mask of the last ReLU, and the projection's convolution output if computing the mask required it. */
  #lastMask(
    pass: Pass,
    residuals: Residuals,
  ): { readonly mask: 'none' | 'recompute' | Tensor4D; readonly projected?: Tensor4D } {
    const { units, shortcut, relu } = this.#structure;
    if (!relu) return { mask: 'none' };
    if (shortcut === 'none') return { mask: 'recompute' };
    if (this.vjpReads.output) return { mask: pass.output };
    const kernels = currentKernels();
    const unit = at(units, units.length - 1, 'unit');
    const { z, statistics } = at(residuals.units, units.length - 1, 'residual');
    const norm = normalization(unit.norm, statistics);
    const { shortcut: kept } = residuals;
    if (this.#projection === undefined || kept === undefined) {
      return { mask: kernels.batchNormApply(z, norm, pass.input, true) };
    }
    const projected = kept.z ?? convolve(this.#projection, pass.input);
    const shortcutNorm = normalization(this.#projection.norm, kept.statistics);
    const added = kernels.batchNormApply(projected, shortcutNorm, undefined, false);
    const mask = kernels.batchNormApply(z, norm, added, true);
    added.dispose();
    return { mask, projected };
  }

  /** Backward pass through one unit's batch norm (and the ReLU after it). Consumes dy, which may be that of means of the last one. */
  #throughNorm(
    index: number,
    residuals: Residuals,
    dy: Tensor4D,
    mask: 'none' | 'recompute' | Tensor4D,
    want: Want,
    gradients: Map<Parameter, Tensor>,
  ): BatchNormGradient {
    const { units } = this.#structure;
    const unit = at(units, index, 'unit');
    const { z, statistics } = at(residuals.units, index, 'residual');
    const kernels = currentKernels();
    const request = {
      dy,
      x: z,
      normalization: normalization(unit.norm, statistics),
      mask,
      overwriteInput: want.release,
      wantMasked: index === units.length - 1 && wantsMasked(this.#structure, want),
    };
    const gradient =
      kernels.pooledBatchNormGradient === undefined || dy.size === z.size
        ? kernels.batchNormGradient(request)
        : kernels.pooledBatchNormGradient(request);
    keepNormGradients(unit.norm, gradient, want, gradients);
    // This unit's activation has been recomputed already, so its statistics are freed together with z.
    if (want.release) dispose([statistics.mean, statistics.variance]);
    return gradient;
  }

  /** Gradient of the filter of unit `index` ≥ 1, whose input is the activation below. Borrows dz. */
  #filterGradient(
    index: number,
    residuals: Residuals,
    dz: Tensor4D,
    want: Want,
    gradients: Map<Parameter, Tensor>,
  ): void {
    const unit = at(this.#structure.units, index, 'unit');
    if (!want.parameters || !isTrained(unit.weight)) return;
    const kernels = currentKernels();
    const below = at(this.#structure.units, index - 1, 'unit');
    const { z, y, statistics } = at(residuals.units, index - 1, 'residual');
    const norm = normalization(below.norm, statistics);
    if (y === undefined && isOrdinary(unit) && kernels.conv2dActivatedFilterGradient !== undefined) {
      const gradient = kernels.conv2dActivatedFilterGradient(z, norm, dz, filterShape(unit), unit.geometry);
      gradients.set(unit.weight, gradient);
      return;
    }
    const activation = y ?? kernels.batchNormApply(z, norm, undefined, true);
    gradients.set(unit.weight, convolutionFilterGradient(unit, activation, dz));
    if (y === undefined) activation.dispose();
  }

  #project(unit: ConvolutionUnit, x: Tensor4D, mode: Mode): { residual: ProjectionResidual; output: Tensor4D } {
    const convolved = convolveUnit(unit, x, mode);
    const { residual, output } = normalizeUnit(unit, convolved, mode, undefined, false);
    if (!mode.training || !this.#structure.recompute) return { residual, output };
    const { z, ...rest } = residual;
    z.dispose();
    return { residual: rest, output };
  }

  /** Backward pass through the projection. Consumes g; returns the input's cotangent if requested. */
  #unproject(
    unit: ConvolutionUnit,
    { z, statistics }: ProjectionResidual,
    x: Tensor4D,
    g: Tensor4D,
    want: Want,
    gradients: Map<Parameter, Tensor>,
  ): Tensor4D | undefined {
    const gradient = currentKernels().batchNormGradient({
      dy: g,
      x: z ?? convolve(unit, x),
      normalization: normalization(unit.norm, statistics),
      mask: 'none',
      // A recomputed tensor is owned here and can be overwritten.
      overwriteInput: want.release || this.#structure.recompute,
      wantMasked: false,
    });
    keepNormGradients(unit.norm, gradient, want, gradients);
    if (want.release) dispose([statistics.mean, statistics.variance]);
    if (want.parameters && isTrained(unit.weight)) {
      gradients.set(unit.weight, convolutionFilterGradient(unit, x, gradient.dx));
    }
    if (want.input) return convolutionInputGradient(unit, gradient.dx);
    gradient.dx.dispose();
    return undefined;
  }
}
