import * as tf from '@tensorflow/tfjs';

// Suppresses the banner that TensorFlow.js prints in Node.
tf.enableProdMode();
// Test files share a process: each starts with the same backend.
await tf.setBackend('cpu');
