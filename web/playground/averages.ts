// Means of what single batches gave, which vary.

const MEMORY = 0.9; // of the moving average: about the last 10 iterations

/** Moving average, unbiased at the start; it stops where a number is not finite. */
export function smooth(values: readonly number[]): number[] {
  const smoothed: number[] = [];
  let [sum, weight] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) break;
    sum = MEMORY * sum + (1 - MEMORY) * value;
    weight = MEMORY * weight + (1 - MEMORY);
    smoothed.push(sum / weight);
  }
  return smoothed;
}

/** Mean of the last `count` values: how the loss of a run is judged. */
export function lastMean(values: readonly number[], count = 50): number {
  const last = values.slice(-count);
  return last.reduce((sum, value) => sum + value, 0) / last.length;
}
