/** Supervised contrastive losses, with the rows of all views concatenated. */
export function contrastiveCases({ stem, file, put }) {
  return (file.json.supcon ?? []).map((entry) => {
    const at = (name) => file.tensors.get(`${entry.i}/${name}`);
    const labels = entry.labels ?? Array.from({ length: entry.batch }, (_, index) => index);
    const spec = {
      case: `${stem}/supcon_${entry.i}`,
      kind: 'loss',
      loss: 'supervised-contrastive',
      temperature: entry.temperature,
      baseTemperature: entry.base_temperature,
      labels: Array.from({ length: entry.views }, () => labels).flat(),
      features: put(`supcon/${entry.i}/features`, viewsBelow(at('raw'))),
      expected: { loss: entry.loss, gradient: put(`supcon/${entry.i}/gradient`, viewsBelow(at('grad_raw'))) },
    };
    return spec;
  });
}

/** [batch, views, features] → [views · batch, features] */
function viewsBelow({ dtype, shape, data }) {
  const [batch, views, features] = shape;
  const rows = new Float32Array(data.length);
  for (let sample = 0; sample < batch; sample++) {
    for (let view = 0; view < views; view++) {
      const from = (sample * views + view) * features;
      rows.set(data.subarray(from, from + features), (view * batch + sample) * features);
    }
  }
  return { dtype, shape: [views * batch, features], data: rows };
}

/** Weights after optimizer updates with given gradients. */
export function optimizerCases({ stem, file, put }) {
  return (file.json.sgd ?? []).map((entry, index) => ({
    case: `${stem}/sgd_${index}`,
    kind: 'optimizer',
    optimizer: {
      learningRate: entry.lr,
      momentum: entry.momentum,
      nesterov: entry.nesterov,
      weightDecay: entry.weight_decay,
    },
    start: put('sgd/start', file.tensors.get('sgd/w0')),
    gradients: put('sgd/gradients', file.tensors.get('sgd/grads')),
    expected: { weights: put(`sgd/${index}/weights`, file.tensors.get(`sgd/${index}/w`)) },
  }));
}
