// SPDX-License-Identifier: ISC
// A broadcast server of Node.js and ws: what somebody writes first.
//	node ws.js PORT
// "S topic" subscribes and is answered by "K"; "P topic payload" sends the
// payload to all who subscribed.
'use strict';
const { WebSocketServer } = require('ws');

if (process.argv[2] === '--version') {
	console.log(`ws ${require('ws/package.json').version}, Node.js ${process.version}`);
	process.exit(0);
}
const topics = new Map();
const server = new WebSocketServer({
	host: '127.0.0.1',
	port: Number(process.argv[2]),
	backlog: 4096,
	perMessageDeflate: false,
});

function subscribe(socket, topic) {
	if (!topics.has(topic))
		topics.set(topic, new Set());
	topics.get(topic).add(socket);
	socket.topics.push(topic);
}

server.on('connection', (socket) => {
	socket.topics = [];
	socket.on('message', (data) => {
		const text = data.toString('latin1');
		if (text[0] === 'S') {
			subscribe(socket, text.slice(2));
			socket.send('K');
			return;
		}
		const space = text.indexOf(' ', 2);
		const payload = text.slice(space + 1);
		for (const to of topics.get(text.slice(2, space)) ?? [])
			to.send(payload);
	});
	socket.on('close', () => {
		for (const topic of socket.topics) {
			const all = topics.get(topic);
			all.delete(socket);
			if (all.size === 0)
				topics.delete(topic);
		}
	});
	socket.on('error', () => {});
});
