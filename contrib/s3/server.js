// Serves S3 below a directory until the end of stdin: see contrib/s3/server.
// s3rver checks the signature of a request; those of the chunks of its body are
// checked here.  And it neither aborts uploads of parts nor lists them: that is
// done here, for requests that it does not know but found to be signed.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { Transform } = require('stream');
const S3rver = require('@20minutes/s3rver');
const Account = require('@20minutes/s3rver/lib/models/account');

const ID = 'linnet-key';
const SECRET = 'linnet/secret+key';
const STREAM = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';

// What stands in a query is signed with all but the unreserved characters
// encoded; s3rver leaves five more as they are.
const encode = encodeURIComponent;
global.encodeURIComponent = (s) => encode(s).replace(/[!'()*]/g,
	(c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

const hmac = (key, text) =>
	crypto.createHmac('sha256', key).update(text).digest();
const sha256 = (bytes) =>
	crypto.createHash('sha256').update(bytes).digest('hex');

// A body that is sent in signed chunks, up to one that has a wrong signature:
// s3rver finds it incomplete then.
class Chunks extends Transform {
	constructor(headers) {
		super();
		const auth = headers.authorization;
		this.scope = /Credential=[^/]+\/([^,]+),/.exec(auth)[1];
		this.last = /Signature=([0-9a-f]+)/.exec(auth)[1];
		this.date = headers['x-amz-date'];
		this.key = this.scope.split('/').reduce(hmac, `AWS4${SECRET}`);
		this.buf = Buffer.alloc(0);
		this.wrong = false;
	}

	// One chunk off the buffer; false: it is not there yet.
	take() {
		const eol = this.buf.indexOf('\r\n');
		if (eol === -1)
			return false;
		const head = /^([0-9a-f]+);chunk-signature=([0-9a-f]{64})$/.exec(
			this.buf.subarray(0, eol).toString());
		if (!head) {
			this.wrong = true;
			return false;
		}
		const n = parseInt(head[1], 16);
		if (this.buf.length < eol + 2 + n + 2)
			return false;
		const data = this.buf.subarray(eol + 2, eol + 2 + n);
		this.last = hmac(this.key, ['AWS4-HMAC-SHA256-PAYLOAD', this.date,
			this.scope, this.last, sha256(''), sha256(data)].join('\n'))
			.toString('hex');
		this.wrong = this.last !== head[2];
		if (!this.wrong)
			this.push(this.buf.subarray(0, eol + 2 + n + 2));
		this.buf = this.buf.subarray(eol + 2 + n + 2);
		return true;
	}

	_transform(bytes, encoding, done) {
		if (!this.wrong)
			this.buf = Buffer.concat([this.buf, bytes]);
		while (!this.wrong && this.take())
			;
		done();
	}
}

const [, , directory, port, ...buckets] = process.argv;
Account.DUMMY_ACCOUNT.createKeyPair(ID, SECRET);
const server = new S3rver({
	address: '127.0.0.1',
	port: Number(port),
	directory,
	silent: true,
	vhostBuckets: false,
	configureBuckets: buckets.map((name) => ({ name })),
});
server.middleware.unshift((ctx, next) => {
	if (ctx.get('x-amz-content-sha256') === STREAM) {
		const body = new Chunks(ctx.req.headers);
		ctx.req.on('aborted', () => body.end());
		ctx.req = ctx.req.pipe(body);
	}
	return next();
});

const uploads = (bucket) => path.join(directory, bucket, '._S3rver_uploads');

function abort(ctx, bucket) {
	const dir = path.join(uploads(bucket), path.basename(ctx.query.uploadId));
	if (!fs.existsSync(dir)) {
		ctx.status = 404;
		ctx.body = '<Error><Code>NoSuchUpload</Code></Error>';
		return;
	}
	fs.rmSync(dir, { recursive: true });
	ctx.status = 204;
}

function list(ctx, bucket) {
	const dir = uploads(bucket);
	const all = (fs.existsSync(dir) ? fs.readdirSync(dir) : [])
		.filter((id) => fs.existsSync(path.join(dir, id, 'key')));
	ctx.status = 200;
	ctx.type = 'application/xml';
	ctx.body = '<ListMultipartUploadsResult>' + all.map((id) => {
		const key = path.join(dir, id, 'key');
		return `<Upload><Key>${fs.readFileSync(key)}</Key>` +
			`<UploadId>${id}</UploadId><Initiated>` +
			fs.statSync(key).mtime.toISOString() +
			'</Initiated></Upload>';
	}).join('') + '</ListMultipartUploadsResult>';
}

server.middleware.unshift(async (ctx, next) => {
	let error;
	try {
		await next();
	} catch (e) {
		error = e;
	}
	const bucket = ctx.path.split('/')[1];
	if (ctx.method === 'DELETE' && ctx.query.uploadId !== undefined &&
	    (error ? error.code === 'MethodNotAllowed' : ctx.status === 405))
		abort(ctx, bucket);
	else if (ctx.method === 'GET' && ctx.query.uploads !== undefined &&
	    (error ? error.code === 'NotImplemented' : ctx.status === 501))
		list(ctx, bucket);
	else if (error)
		throw error;
});
// s3rver does not expect a client that goes before its body is looked at.
process.on('uncaughtException', (e) => {
	if (e.code !== 'IncompleteBody')
		throw e;
});
server.run().then((at) => console.log(`port ${at.port}`));
process.stdin.on('end', () => process.exit(0)).resume();
