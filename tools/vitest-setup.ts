import * as tf from '@tensorflow/tfjs';

// Suppresses the banner that TensorFlow.js prints in Node.
tf.enableProdMode();
