export * from './batch-norm';
export * from './elementwise';
export * from './filter-gradient';
export * from './input-gradient';
export * from './packed-convolution';
export * from './pooling';
