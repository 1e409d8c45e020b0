// roundtrip.mjs DIRECTORY: real requests through a real HTTP cache (kept in DIRECTORY) to the server of server.mjs.
// Prints TAP. The database is that of PGHOST, PGPORT, PGUSER and PGDATABASE.
import { request as plainRequest } from 'node:http';
import { createRequire } from 'node:module';
import pg from 'pg';
import { start } from './server.mjs';

const fetching = createRequire(import.meta.url)('make-fetch-happen');
const cached = fetching.defaults({ cachePath: process.argv[2], retry: false });
const uncached = fetching.defaults({ cache: 'no-store', retry: false });

let tests = 0;
let failures = 0;
function is(got, expected, name) {
  const same = JSON.stringify(got) === JSON.stringify(expected);
  failures += same ? 0 : 1;
  console.log(`${same ? 'ok' : 'not ok'} ${++tests} - ${name}`);
  if (!same) {
    console.log(`# got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`);
  }
}

const pool = new pg.Pool({ max: 4 });
const sent = [];
const server = await start(pool, (entry) => sent.push(entry));
const base = `http://127.0.0.1:${server.address().port}`;
// What the server sent for the last request.
const last = () => [sent.at(-1).method, sent.at(-1).status];

// GET through the cache: what the application sees.
async function get(path) {
  const response = await cached(base + path);
  return { status: response.status, etag: response.headers.get('etag'), body: await response.json(), served: response.headers.get('x-local-cache-status') };
}

async function put(path, tag, status) {
  const headers = { 'Content-Type': 'application/json', ...(tag === undefined ? {} : { 'If-Match': tag }) };
  const response = await uncached(base + path, { method: 'PUT', headers, body: JSON.stringify({ status }) });
  await response.text();
  return response;
}

// Without a client that would hide anything: the bytes of a response.
function raw(path, headers, method = 'GET') {
  return new Promise((done, fail) => {
    plainRequest(base + path, { headers, method }, (response) => {
      let body = '';
      response.on('data', (piece) => { body += piece; });
      response.on('end', () => done({ status: response.statusCode, headers: response.headers, body }));
    }).on('error', fail).end();
  });
}

for (const path of ['/leads/1', '/leads?owner=ann']) {
  await pool.query(`UPDATE customers SET name = 'Acme' WHERE id = 1`);
  const first = await get(path);
  is([first.status, first.etag?.length, last()], [200, 66, ['GET', 200]], `${path}: the first GET is answered 200 with an ETag`);
  const second = await get(path);
  is([last(), sent.at(-1).bytes], [['GET', 304], 0], `${path}: the second 304, without a body`);
  is([second.status, second.served, second.etag, second.body], [200, 'revalidated', first.etag, first.body], `${path}: the cache has the body`);

  const wire = await raw(path, { 'If-None-Match': first.etag });
  is([wire.status, wire.body, wire.headers.etag], [304, '', first.etag], `${path}: on the wire, too`);
  is([wire.headers['cache-control'], wire.headers.vary], ['private, no-cache', 'Authorization, Accept'], `${path}: with Cache-Control and Vary`);
  const list = await raw(path, { 'If-None-Match': `"other", W/${first.etag}` });
  is(list.status, 304, `${path}: also of a list and of a weak tag, as a proxy makes of it`);

  await pool.query(`UPDATE customers SET name = 'Acme Ltd' WHERE id = 1`);
  const third = await get(path);
  is([last(), third.status, third.etag === first.etag], [['GET', 200], 200, false], `${path}: 200 with a new tag once the customer is renamed`);
  is(JSON.stringify(third.body), JSON.stringify(first.body).replaceAll('"Acme"', '"Acme Ltd"').replaceAll(/[0-9a-f]{64}/g, () => [third.body].flat()[0].version_etag),
    `${path}: and the new name`);
  await get(path);
  is(last(), ['GET', 304], `${path}: then 304 again`);
}
is((await raw('/leads/1', {}, 'HEAD')).body, '', 'HEAD has no body');
is((await raw('/leads/9', { 'If-None-Match': '*' })).status, 404, 'what does not exist is not found');

// Two editors have read the same lead.
const { etag } = await get('/leads/1');
is((await put('/leads/1', undefined, 'lost')).status, 428, 'a PUT without If-Match is refused');
is((await put('/leads/1', etag, 'won')).status, 204, 'a PUT with the tag that was read is carried out');
const late = await put('/leads/1', etag, 'lost');
is(late.status, 412, 'a PUT with the old tag gets 412');
const { etag: current, body } = await get('/leads/1');
is([body.status, late.headers.get('etag') === current], ['won', true], 'nothing is lost, and the answer has the current tag');
is((await put('/leads/1', `W/${current}`, 'lost')).status, 412, 'weak tags guard no write');
is((await put('/leads/1', current.replaceAll('"', ''), 'lost')).status, 412, 'nor does what is no tag');
is((await put('/leads/9', '*', 'lost')).status, 404, 'a PUT of what does not exist');
// At the same moment.
const race = await Promise.all([1, 2, 3, 4].map((i) => put('/leads/1', current, `editor ${i}`)));
is(race.map((response) => response.status).sort(), [204, 412, 412, 412], 'of four editors at once exactly one wins');
is(sent.filter((entry) => entry.status === 500).map((entry) => String(entry.error)), [], 'nothing failed');

console.log(`1..${tests}`);
server.close();
server.closeAllConnections();
await pool.end();
process.exit(failures === 0 ? 0 : 1);
