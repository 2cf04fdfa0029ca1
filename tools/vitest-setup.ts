import * as tf from '@tensorflow/tfjs';

// Silences the banner that TensorFlow.js prints in Node.
tf.enableProdMode();
