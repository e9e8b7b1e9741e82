// For the benchmark only: the most multiply-adds that this machine's SIMD can do.

/** 48 multiply-adds a round, in 12 independent chains that never leave the registers. */
export function peak(rounds: i32): f32 {
  const v = f32x4.splat(0.999), a = f32x4.splat(0.001);
  let s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a;
  let t0 = v, t1 = v, t2 = v, t3 = v, t4 = v, t5 = v;
  for (let i = 0; i < rounds; i++) {
    s0 = f32x4.add(f32x4.mul(s0, v), a); t0 = f32x4.add(f32x4.mul(t0, v), a);
    s1 = f32x4.add(f32x4.mul(s1, v), a); t1 = f32x4.add(f32x4.mul(t1, v), a);
    s2 = f32x4.add(f32x4.mul(s2, v), a); t2 = f32x4.add(f32x4.mul(t2, v), a);
    s3 = f32x4.add(f32x4.mul(s3, v), a); t3 = f32x4.add(f32x4.mul(t3, v), a);
    s4 = f32x4.add(f32x4.mul(s4, v), a); t4 = f32x4.add(f32x4.mul(t4, v), a);
    s5 = f32x4.add(f32x4.mul(s5, v), a); t5 = f32x4.add(f32x4.mul(t5, v), a);
  }
  const s = f32x4.add(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)), f32x4.add(s4, s5));
  const t = f32x4.add(f32x4.add(f32x4.add(t0, t1), f32x4.add(t2, t3)), f32x4.add(t4, t5));
  return f32x4.extract_lane(f32x4.add(s, t), 0);
}
