// SPDX-License-Identifier: ISC
// Alice has the client of version 1 of the SDK, which says initialize, and is
// pushed to as Claude Code is; bob has that of version 2, which speaks revision
// 2026-07-28.  Results are checked against the schemas of the tools by the
// clients themselves.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 }
  from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 }
  from '@modelcontextprotocol/client/stdio';
import { ok, is, until, run } from './check.mjs';

const [linnet, configA, configB] = process.argv.slice(2);

const command = (config, name) => ({
  command: linnet,
  args: ['mcp'],
  env: { ...process.env, LINNET_CONFIG: config, LINNET_NAME: name,
    LINNET_GROUPS: 'pair' },
});

async function call(client, name, args = {}) {
  const result = await client.callTool({ name, arguments: args });
  if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
  return result.structuredContent;
}

// A user who is asked to whom, and takes the first of those offered whose name
// is that.
function chooses(asked, name) {
  return async (request) => {
    asked.push(request.params);
    const offered = request.params.requestedSchema.properties.to.enum;
    return { action: 'accept',
      content: { to: offered.find((n) => n === name) } };
  };
}

// Prompts, what completes them, and the question for what they lack.
async function prompts(client, asked, who, name) {
  const list = (await client.listPrompts()).prompts;
  ok(list.some((p) => p.name === 'inbox'), `${who} has prompts`);
  const { completion } = await client.complete({
    ref: { type: 'ref/prompt', name: 'ask' },
    argument: { name: 'to', value: name.slice(0, 2) } });
  ok(completion.values.includes(name), `${who} completes a name`);
  const { messages } = await client.getPrompt({ name: 'handoff' });
  is(asked.length, 1, `${who} is asked to whom`);
  ok(messages[0].content.text.includes(`over to ${name} in`),
    `and ${who}'s answer is in the prompt`);
}

// What the broker says of a message to a recipient, or the only one.
async function state(client, id, name = undefined) {
  const { recipients } = await call(client, 'message_status', { id });
  return (name ? recipients.find((r) => r.name === name) : recipients[0])
    ?.state;
}

// A message that was sent is pushed, and is not acked before it was used.
async function pushedTo(client, id, name, what) {
  await until(async () => await state(client, id, name) !== 'queued',
    `${what} goes out`);
  is(await state(client, id, name), 'pushed', `${what}: its status is pushed`);
}

async function ackedBy(client, id, name, what) {
  await until(async () => await state(client, id, name) === 'acked',
    `${what} is acked`);
  is(await state(client, id, name), 'acked', `${what}: its status is acked`);
}

// A file with a message, for bob alone; and one for the mesh.
async function exchangeFiles(alice, bob) {
  const dir = mkdtempSync(join(tmpdir(), 'linnet-clients-'));
  try {
    const bytes = Buffer.from(Array.from({ length: 200000 }, (_, i) => i % 251));
    writeFileSync(join(dir, 'data.bin'), bytes);
    const id = (await call(alice, 'send_message', { to: 'bob',
      message: 'with a file', file: join(dir, 'data.bin') }))
      .messages[0].message_id;
    await pushedTo(alice, id, 'bob', 'the message with a file');
    const read = (await call(bob, 'wait_for_message', { seconds: 20 }))
      .messages[0];
    const file = read?.files?.[0];
    is(`${file?.name} ${file?.size}`, 'data.bin 200000', 'bob is told of it');
    const got = await call(bob, 'get_file',
      { id: file.id, path: join(dir, 'copy') });
    ok(readFileSync(got.path).equals(bytes), 'and has the same bytes');
    await ackedBy(alice, id, 'bob', 'the message with a file');
    const reader = async () =>
      (await call(alice, 'file_status', { id: file.id })).readers[0]?.name;
    await until(async () => await reader() === 'bob', 'he has read it');
    is(await reader(), 'bob', 'alice sees that he has read it');

    const shared = await call(bob, 'share_file',
      { name: 'plan.md', content: '# A plan', tags: ['plan'] });
    const found = (await call(alice, 'list_files', { tags: ['plan'] })).files;
    is(found[0]?.id, shared.id, 'alice finds what bob has shared');
    is((await call(alice, 'get_file', { id: shared.id })).text, '# A plan',
      'and reads it');
    const resource = await bob.readResource(
      { uri: `linnet://file/${shared.id}` });
    is(resource.contents[0].text, '# A plan', 'it is a resource, too');
    is((await call(bob, 'delete_file', { id: shared.id })).deleted, true,
      'and deleted');
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function main() {
  const pushed = [];
  const asked = { alice: [], bob: [] };
  const can = { capabilities: { elicitation: { form: {} } } };
  const alice = new ClientV1({ name: 'claude-code', version: '1' }, can);
  alice.setRequestHandler(ElicitRequestSchema, chooses(asked.alice, 'bob'));
  alice.fallbackNotificationHandler = async (note) => {
    if (note.method === 'notifications/claude/channel')
      pushed.push(note.params);
  };
  await alice.connect(new StdioV1(command(configA, 'alice')));
  const bob = new ClientV2({ name: 'second', version: '2' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } }, ...can });
  bob.setRequestHandler('elicitation/create', chooses(asked.bob, 'alice'));
  await bob.connect(new StdioV2(command(configB, 'bob')));

  const toolsA = (await alice.listTools()).tools;
  const toolsB = (await bob.listTools()).tools;
  is(toolsA.map((t) => t.name).join(), toolsB.map((t) => t.name).join(),
    'both have the same tools');
  ok(/You are "alice"/.test(alice.getInstructions()), 'alice is told who she is');
  ok(/You are "bob"/.test(bob.getInstructions()), 'and bob');
  ok(alice.getServerCapabilities().experimental['claude/channel'],
    'alice has a channel');

  const here = async (client, name) => (await call(client, 'list_peers'))
    .peers.some((p) => p.name === name);
  await until(() => here(alice, 'bob'), 'alice sees bob');
  await until(() => here(bob, 'alice'), 'bob sees alice');

  await prompts(alice, asked.alice, 'alice', 'bob');
  await prompts(bob, asked.bob, 'bob', 'alice');

  // Bob to alice: pushed, and acked when she used it, not before.
  const direct = (await call(bob, 'send_message',
    { to: 'alice', message: 'a direct one' })).messages[0].message_id;
  const note = await until(
    () => pushed.find((p) => p.meta.message_id === direct),
    'the direct message is pushed to the agent');
  is(note?.content, 'a direct one', 'the direct message');
  is(note?.meta.from_name, 'bob', 'and who it is from');
  await pushedTo(bob, direct, 'alice', 'the direct message');
  const answer = (await call(alice, 'send_message',
    { to: note.meta.from_key, reply_to: direct, message: 'an answer' }))
    .messages[0].message_id;
  await ackedBy(bob, direct, 'alice', 'the direct message');

  // Alice to bob: he is not pushed to, and reads.
  const got = await call(bob, 'wait_for_message', { seconds: 20 });
  is(got.messages[0]?.message_id, answer, 'bob waits for the answer');
  is(got.messages[0]?.reply_to, direct, 'which says what it answers');
  await until(async () => await state(alice, answer) === 'acked',
    'and reading it acks it');

  for (const [to, name] of [['@pair', 'group'], ['*', 'broadcast']]) {
    const id = (await call(alice, 'send_message',
      { to, message: `a ${name} one` })).messages[0].message_id;
    const { unread } = await until(async () => {
      const result = await call(bob, 'get_state', { key: 'x' });
      return result.unread.count > 0 && result;
    }, `bob hears of the ${name} message`) ?? {};
    is(unread?.highest, 'next', 'by the end of any result');
    await pushedTo(alice, id, 'bob', `the ${name} message`);
    const read = await call(bob, 'check_messages');
    is(read.messages[0]?.text, `a ${name} one`, `the ${name} message`);
    is(read.messages[0]?.to, to, 'to whom it is');
    await ackedBy(alice, id, 'bob', `the ${name} message`);
  }

  // State: who listens hears of it, and so does the channel.
  const updates = [];
  bob.setNotificationHandler('notifications/resources/updated',
    (n) => { updates.push(n.params.uri); });
  const listening = await bob.listen(
    { resourceSubscriptions: ['linnet://state/plan'] });
  is(listening.honoredFilter.resourceSubscriptions?.[0],
    'linnet://state/plan', 'bob listens');
  await call(alice, 'set_state', { key: 'plan', value: { step: 2 } });
  await until(() => updates.includes('linnet://state/plan'),
    'bob hears of the change');
  const plan = await bob.readResource({ uri: 'linnet://state/plan' });
  is(JSON.parse(plan.contents[0].text).value.step, 2, 'and reads it');
  await call(bob, 'set_state', { key: 'plan', value: { step: 3 } });
  const change = await until(
    () => pushed.find((p) => p.meta.kind === 'state_change'),
    'alice is pushed the next change');
  is(change?.content, 'plan = {"step":3}', 'the change');
  await listening.close();

  await exchangeFiles(alice, bob);

  const { resources } = await alice.listResources();
  ok(resources.some((r) => r.uri === 'linnet://inbox'), 'resources');
  const bad = await alice.callTool(
    { name: 'send_message', arguments: { to: 'alcie', message: 'x' } });
  ok(bad.isError && /Did you mean "alice"/.test(bad.content[0].text),
    'a mistake is told in a sentence');

  await alice.close();
  await bob.close();
  ok(true, 'both end');
}

run(main);
