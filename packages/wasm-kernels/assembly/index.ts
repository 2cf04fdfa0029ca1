export * from './batch-norm';
export * from './convolution';
export * from './convolution';
export * from './elementwise';
export * from './filter-gradient';
export * from './input-gradient';
