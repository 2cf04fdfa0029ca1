/** WGSL: the sum of `share` over a workgroup is `shares[0]` afterwards. @param threads invocations per workgroup */
export function addShares(threads = 64): string {
  return `
    shares[local] = share;
    workgroupBarrier();
    for (var half = ${threads / 2}; half > 0; half /= 2) {
      if (local < half) { shares[local] += shares[local + half]; }
      workgroupBarrier();
    }`;
}
