// SPDX-License-Identifier: ISC
// A broadcast server of uWebSockets.js.
//	node uws.js PORT
// "S topic" subscribes and is answered by "K"; "P topic payload" sends the
// payload to all who subscribed.  The library is taken under any of the names
// that it has in registries.
'use strict';
const names = ['uWebSockets.js', '@btc-vision/uwebsockets.js',
	'@trufflesuite/uws-js-unofficial'];
let uws, version;

for (const name of names) {
	try {
		uws = require(name);
		version = require(`${name}/package.json`).version;
		break;
	} catch {
		// Not there, or not for this system.
	}
}
if (uws === undefined || process.argv[2] === '--version') {
	console.log(`uWebSockets.js ${version}, Node.js ${process.version}`);
	process.exit(uws === undefined ? 1 : 0);
}

const app = uws.App();
app.ws('/*', {
	compression: uws.DISABLED,
	maxBackpressure: 256 * 1024 * 1024,
	maxPayloadLength: 1024 * 1024,
	idleTimeout: 0,
	message: (socket, data) => {
		const text = Buffer.from(data).toString('latin1');
		if (text[0] === 'S') {
			socket.subscribe(text.slice(2));
			socket.send('K');
			return;
		}
		const space = text.indexOf(' ', 2);
		app.publish(text.slice(2, space), text.slice(space + 1));
	},
});
app.listen('127.0.0.1', Number(process.argv[2]), (socket) => {
	if (!socket)
		process.exit(1);
});
