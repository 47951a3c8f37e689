// How fast answers of 1 MiB are read and compared in Wasm: MB of both bodies per second of CPU time, the best of several rounds, and as a
// ratio to reading the same numbers as any JSON. The longest step, of which the filter does one a callback, is that of the calmest round.
//
//   node readers.mjs MODULE [ROUNDS]

import fs from 'node:fs';

// As the filter does: limits.rs, COMPARED_PER_CALLBACK.
const BUDGET = 64 << 10;

const module = new WebAssembly.Module(fs.readFileSync(process.argv[2]));
const rounds = Number(process.argv[3] ?? 15);
const micros = ({ user, system }) => user + system;

const exports = () => new WebAssembly.Instance(module, {}).exports;

function once(filter, which, same) {
    const bytes = filter.begin(which, same);
    let longest = 0, state;
    const start = process.cpuUsage();
    do {
        const before = process.cpuUsage();
        state = filter.step(BUDGET);
        longest = Math.max(longest, micros(process.cpuUsage(before)));
    } while (state === 0);
    if (state !== 1) throw new Error(`case ${which} is not equal within tolerance`);
    return { speed: bytes / micros(process.cpuUsage(start)), longest };
}

function measure(filter, which, same) {
    const runs = Array.from({ length: rounds }, () => once(filter, which, same));
    return { speed: Math.max(...runs.map(run => run.speed)), longest: Math.min(...runs.map(run => run.longest)) };
}

const text = { true: 'only the last number differs', false: 'all numbers differ' };
console.log('numbers                       answers                         MB/s   ratio   longest step');
for (const same of [false, true]) {
    const filter = exports();
    let base;
    for (let which = 0; filter.name_length(which) > 0; which += 1) {
        const name = Buffer.from(filter.memory.buffer, filter.name(which), filter.name_length(which)).toString();
        const { speed, longest } = measure(filter, which, same);
        base ??= speed;
        const figures = [speed.toFixed(0).padStart(6), (speed / base).toFixed(2).padStart(6), `${longest.toFixed(0)} us`.padStart(10)];
        console.log(text[same].padEnd(30) + name.padEnd(30) + figures.join('  '));
    }
}
