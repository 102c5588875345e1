// SPDX-License-Identifier: ISC
// What the conformance suite needs between it and a server: it speaks HTTP
// only, and shows no token.
//
//   node proxy.mjs http URL TOKEN     shows the token; the rest goes on as it is
//   node proxy.mjs stdio LINNET       the server is a `linnet mcp`
//
// Prints the port on which it listens, on 127.0.0.1.  Of stdio every session
// has a process of its own, and all modern requests have one together; what is
// about the transport (headers, origins) is the proxy's there, and says nothing
// of the server.
import http from 'node:http';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { randomUUID } from 'node:crypto';

const [kind, to, token] = process.argv.slice(2);

function forward(request, response) {
  const { hostname, port } = new URL(to);
  const on = http.request({
    hostname, port, method: request.method, path: request.url,
    headers: { ...request.headers, authorization: `Bearer ${token}` },
    agent: false,
  }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    response.flushHeaders();
    answer.pipe(response);
  });
  on.on('error', () => response.destroy());
  response.on('close', () => on.destroy());
  request.pipe(on);
}

class Server {
  constructor() {
    this.waiting = new Map();
    this.listener = null;
    this.next = 0;
    // Each is a session of the mesh that no other takes over.
    this.child = spawn(to, ['mcp'], { stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LINNET_SESSION: randomUUID() } });
    createInterface({ input: this.child.stdout })
      .on('line', (line) => this.line(JSON.parse(line)));
  }

  // Ids and progress tokens are the client's; here each is another.
  line(message) {
    if (message.method === undefined) {
      const asked = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      asked?.answer({ ...message, id: asked.id });
      return;
    }
    // Ids of requests of the server stay what they are.
    const key = message.params?.progressToken ??
      message.params?._meta?.['io.modelcontextprotocol/subscriptionId'];
    const asked = this.waiting.get(key) ?? [...this.waiting.values()].at(-1);
    const params = { ...message.params };
    if (params.progressToken !== undefined && asked)
      params.progressToken = asked.token;
    if (params._meta && asked)
      params._meta = { ...params._meta,
        'io.modelcontextprotocol/subscriptionId': asked.id };
    (asked ? asked.note : this.listener)?.({ ...message, params });
  }

  send(message, note, answer) {
    const sent = structuredClone(message);
    if (message.id !== undefined) {
      sent.id = ++this.next;
      const token = message.params?._meta?.progressToken;
      if (token !== undefined) sent.params._meta.progressToken = sent.id;
      this.waiting.set(sent.id, { id: message.id, token, note, answer });
    }
    this.child.stdin.write(`${JSON.stringify(sent)}\n`);
    return sent.id;
  }

  end() { this.child.stdin.end(); }
}

const sessions = new Map();
let modern = null;
const statuses = { [-32601]: 404, [-32602]: 400, [-32022]: 400,
  [-32021]: 400, [-32600]: 400 };

async function carry(request, response) {
  const local = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;
  const origin = request.headers.origin;
  if (!local.test(request.headers.host ?? '') ||
      (origin && !local.test(origin.replace(/^https?:\/\//, '')))) {
    response.writeHead(403).end();
    return;
  }
  const id = request.headers['mcp-session-id'];
  let server = sessions.get(id);
  if (request.method === 'DELETE') {
    server?.end();
    response.writeHead(sessions.delete(id) ? 204 : 404).end();
    return;
  }
  if (request.method === 'GET') {
    if (!server) { response.writeHead(405).end(); return; }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    server.listener = (m) =>
      response.write(`event: message\ndata: ${JSON.stringify(m)}\n\n`);
    return;
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const message = JSON.parse(body);
  const headers = {};
  const isModern =
    message.params?._meta?.['io.modelcontextprotocol/protocolVersion'] ??
    request.headers['mcp-protocol-version'] === '2026-07-28';
  const said = request.headers['mcp-protocol-version'];
  if (isModern && isModern !== true && isModern !== said) {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id ?? null,
      error: { code: -32020, message: 'head and body differ' } }));
    return;
  }
  if (isModern) server = modern ??= new Server();
  else if (message.method === 'initialize') {
    const made = randomUUID();
    sessions.set(made, server = new Server());
    headers['mcp-session-id'] = made;
  }
  if (!server) { response.writeHead(404).end(); return; }
  if (message.method === undefined) {
    server.child.stdin.write(`${JSON.stringify(message)}\n`);
    response.writeHead(202, headers).end();
    return;
  }
  if (message.id === undefined) {
    server.send(message);
    response.writeHead(202, headers).end();
    return;
  }
  let streams = false;
  const note = (m) => {
    if (!streams)
      response.writeHead(200,
        { ...headers, 'content-type': 'text/event-stream' });
    streams = true;
    response.write(`event: message\ndata: ${JSON.stringify(m)}\n\n`);
  };
  const sent = server.send(message, note, (m) => {
    if (streams) {
      note(m);
      response.end();
      return;
    }
    const status = isModern ? statuses[m.error?.code] ?? 200 : 200;
    response.writeHead(status,
      { ...headers, 'content-type': 'application/json' });
    response.end(JSON.stringify(m));
  });
  response.on('close', () => {
    if (server.waiting.delete(sent))
      server.send({ jsonrpc: '2.0', method: 'notifications/cancelled',
        params: { requestId: sent } });
  });
}

const proxy = http.createServer((request, response) => {
  if (kind === 'http') forward(request, response);
  else carry(request, response).catch(() => response.destroy());
});
proxy.listen(0, '127.0.0.1', () => console.log(proxy.address().port));
process.on('SIGTERM', () => {
  for (const s of sessions.values()) s.end();
  modern?.end();
  process.exit(0);
});
