// SPDX-License-Identifier: ISC
// Clients of both versions of the SDK against /mcp: alice has the first, which
// says initialize; bob the second, which speaks revision 2026-07-28.  Results
// are checked against the schemas of the tools by the clients themselves.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HttpV1 }
  from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema,
  ResourceUpdatedNotificationSchema as ResourceUpdated }
  from '@modelcontextprotocol/sdk/types.js';
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 }
  from '@modelcontextprotocol/client';
import { ok, is, pause, until, run } from './check.mjs';

const [url, tokenA, tokenB] = process.argv.slice(2);

const shows = (token) => ({
  requestInit: { headers: { Authorization: `Bearer ${token}` } },
});

async function call(client, name, args = {}, options = undefined) {
  const result = await client.callTool({ name, arguments: args },
    ...(options ? [undefined, options] : []));
  if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
  return result.structuredContent;
}

async function main() {
  const can = { capabilities: { elicitation: { form: {} } } };
  const alice = new ClientV1({ name: 'first', version: '1' }, can);
  alice.setRequestHandler(ElicitRequestSchema, async () => (
    { action: 'accept', content: { to: 'peer-b' } }));
  const transport = new HttpV1(new URL(url), shows(tokenA));
  await alice.connect(transport);
  const bob = new ClientV2({ name: 'second', version: '2' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } }, ...can });
  bob.setRequestHandler('elicitation/create', async () => (
    { action: 'accept', content: { to: 'peer-a', task: 'the tests' } }));
  await bob.connect(new HttpV2(new URL(url), shows(tokenB)));
  const auto = new ClientV2({ name: 'third', version: '3' },
    { versionNegotiation: { mode: 'auto' } });
  await auto.connect(new HttpV2(new URL(url), shows(tokenA)));
  ok(true, 'all connect');

  const tools = async (c) => (await c.listTools()).tools
    .map((t) => t.name).join();
  is(await tools(alice), await tools(bob), 'both have the same tools');
  is(await tools(auto), await tools(bob), 'and who negotiates');
  ok(/You are "peer-a"/.test(alice.getInstructions()),
    'alice is told who she is');
  ok(/You are "peer-b"/.test(bob.getInstructions()), 'and bob');

  const first = (await call(alice, 'send_message',
    { to: 'peer-b', message: 'a direct one', priority: 'now' }))
    .messages[0].message_id;
  const { unread } = await call(bob, 'get_state', { key: 'x' });
  is(unread.count, 1, 'bob hears of it by the end of any result');
  is(unread.highest, 'now', 'and how urgent it is');
  const got = (await call(bob, 'check_messages')).messages[0];
  is(got?.message_id, first, 'he reads it');
  is(got?.text, 'a direct one', 'what it says');
  await until(async () => (await call(alice, 'message_status', { id: first }))
    .recipients[0].state === 'acked', 'and has acked it');

  // Bob waits before there is something to wait for.
  const waits = call(bob, 'wait_for_message', { seconds: 30 });
  await pause(500);
  const began = Date.now();
  await call(alice, 'send_message', { to: 'peer-b', message: 'another' });
  is((await waits).messages[0]?.text, 'another', 'a wait ends');
  ok(Date.now() - began < 5000, 'at once');

  const updates = [];
  bob.setNotificationHandler('notifications/resources/updated',
    (n) => { updates.push(n.params.uri); });
  const listening = await bob.listen({ resourceSubscriptions:
    ['linnet://state/plan', 'linnet://inbox'] });
  is(listening.honoredFilter.resourceSubscriptions?.length, 2,
    'bob listens');
  await call(alice, 'set_state', { key: 'plan', value: { step: 2 } });
  await until(() => updates.includes('linnet://state/plan'),
    'bob hears of the change');
  const plan = await bob.readResource({ uri: 'linnet://state/plan' });
  is(JSON.parse(plan.contents[0].text).value.step, 2, 'and reads it');
  await call(alice, 'send_message', { to: 'peer-b', message: 'look' });
  await until(() => updates.includes('linnet://inbox'),
    'and of a message');
  await listening.close();
  is((await call(bob, 'check_messages')).messages[0]?.text, 'look',
    'which is there');

  const { messages: [said] } = await bob.getPrompt({ name: 'handoff' });
  ok(said.content.text.includes('over to peer-a in the mesh: the tests.'),
    'bob is asked what a prompt lacks');
  const { messages: [hers] } = await alice.getPrompt({ name: 'handoff' });
  ok(hers.content.text.includes('over to peer-b in the mesh. If'),
    'and alice, in her session');
  const { completion } = await alice.complete({
    ref: { type: 'ref/resource', uri: 'linnet://state/{key}' },
    argument: { name: 'key', value: 'pl' } });
  is(completion.values.join(), 'plan', 'alice completes a key');

  // Files: what is short passes in the calls, the rest by links.
  const note = await call(alice, 'share_file',
    { name: 'note.txt', content: 'short', attachment: true });
  ok(note.uploaded, 'a short file is there at once');
  await call(alice, 'send_message',
    { to: 'peer-b', message: 'with a file', file: note.id });
  const came = (await call(bob, 'wait_for_message', { seconds: 20 }))
    .messages[0]?.files?.[0];
  is(came?.name, 'note.txt', 'it comes with a message');
  is((await call(bob, 'get_file', { id: came.id })).text, 'short',
    'and is read');
  const bytes = Buffer.from(Array.from({ length: 300000 }, (_, i) => i % 251));
  const up = await call(alice, 'share_file',
    { name: 'data.bin', size: bytes.length });
  is((await fetch(up.upload_url, { method: 'PUT', body: bytes })).status, 201,
    'a large one is uploaded by a link');
  const down = await call(bob, 'get_file', { id: up.id });
  ok(Buffer.from(await (await fetch(down.url)).arrayBuffer()).equals(bytes),
    'and downloaded by one');

  const { resources } = await alice.listResources();
  ok(resources.some((r) => r.uri === 'linnet://inbox'), 'resources');
  const bad = await alice.callTool(
    { name: 'send_message', arguments: { to: 'pear-b', message: 'x' } });
  ok(bad.isError && /Did you mean/.test(bad.content[0].text),
    'a mistake is told in a sentence');
  // Alice's session: what she subscribed to comes over its stream.
  const told = [];
  alice.setNotificationHandler(ResourceUpdated,
    (n) => { told.push(n.params.uri); });
  ok(/^[0-9a-f]{32}$/.test(transport.sessionId), 'alice has a session');
  await alice.subscribeResource({ uri: 'linnet://state/hers' });
  await call(bob, 'set_state', { key: 'hers', value: 1 });
  await until(() => told.includes('linnet://state/hers'),
    'alice hears of a change');
  await transport.terminateSession();
  ok(transport.sessionId === undefined, 'until it is ended');

  const none = new ClientV1({ name: 'none', version: '1' });
  await none.connect(new HttpV1(new URL(url), shows('wat_none')))
    .then(() => ok(false, 'no token, no connection'),
      (e) => ok(/401|[Uu]nauthorized|no whole token/.test(`${e.code} ${e}`),
        'no token, no connection'));

  await alice.close();
  await bob.close();
  await auto.close();
  ok(true, 'all end');
}

run(main);
