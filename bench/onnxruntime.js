// SPDX-License-Identifier: Apache-2.0
// bench/onnxruntime.js - CPU time of one run of a network in onnxruntime, on one thread.
//
//   npm install --prefix DIR onnxruntime-node
//   NODE_PATH=DIR/node_modules node bench/onnxruntime.js NET.onnx [RUNS]
const ort = require('onnxruntime-node');

async function main(file, runs) {
	const session = await ort.InferenceSession.create(file, {intraOpNumThreads: 1, interOpNumThreads: 1});
	const meta = session.inputMetadata || [];
	const feeds = {};
	session.inputNames.forEach((name, i) => {
		const dims = meta[i].shape.map((d) => (typeof d === 'number' ? d : 1));
		const n = dims.reduce((a, b) => a * b, 1);
		feeds[name] = meta[i].type === 'int64'
			? new ort.Tensor('int64', BigInt64Array.from({length: n}, (_, k) => BigInt(k % 2)), dims)
			: new ort.Tensor('float32', Float32Array.from({length: n}, (_, k) => Math.sin(k)), dims);
	});
	let best = Infinity;
	for (let i = 0; i < runs; i++) {
		const before = process.cpuUsage();
		await session.run(feeds);
		const used = process.cpuUsage(before);
		best = Math.min(best, (used.user + used.system) / 1000);
	}
	console.log(`onnxruntime: ${best.toFixed(1)} ms CPU`);
}

main(process.argv[2], Number(process.argv[3] || 5));
