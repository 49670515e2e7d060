// The ramp that this kind of service is judged by: 10 s to 500 virtual users, 10 s to 3,000, 10 s at
// 3,000, 10 s to none. PEAK_VUS and STAGE change its height and length; FAST=yes is a smoke run.

const fast = __ENV.FAST === 'yes';
const peak = Number(__ENV.PEAK_VUS || (fast ? 300 : 3000));
const stage = __ENV.STAGE || (fast ? '2s' : '10s');

export const stages = [
  { duration: stage, target: Math.ceil(peak / 6) },
  { duration: stage, target: peak },
  { duration: stage, target: peak },
  { duration: stage, target: 0 },
];
