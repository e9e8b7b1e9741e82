/** Rounded as Python's formats round, so that an explorer and the text beside it agree: by the exact
 * binary value, as toFixed does, but a tie goes to the even digit. */
export function rounded(value: number, decimals: number): number {
  const ties = Math.abs((value * 2 ** (decimals + 1)) % 2) === 1; // no other binary number can tie
  const scale = 10 ** decimals;
  return ties ? (2 * Math.round((value * scale) / 2)) / scale : Number(value.toFixed(decimals));
}
