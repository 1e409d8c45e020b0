// A small HTTP server in front of freshcrm, as an application would write it: the tags, the answers and the locks are
// the database's, and its errors FC412 become responses.
//
//   GET  /leads?owner=…   a list, as conditional_get() gives it
//   GET  /leads/ID        a row of the projection, with its version_etag
//   PUT  /leads/ID        {"status": …}, only over what If-Match names
import { createServer } from 'node:http';

const always = { 'Cache-Control': 'private, no-cache', Vary: 'Authorization, Accept' };

function answer(response, status, headers, body) {
  response.writeHead(status, { ...always, ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

async function list(pool, request, url) {
  const scope = Object.fromEntries(url.searchParams);
  const { rows: [got] } = await pool.query(
    `SELECT status, etag, body FROM freshcrm.conditional_get('lead_hot'::regclass, $1::jsonb, $2::text)`,
    [JSON.stringify(scope), request.headers['if-none-match'] ?? null]);
  return [got.status, { ETag: got.etag }, got.status === 200 ? got.body : undefined];
}

async function read(pool, request, id) {
  const { rows: [got] } = await pool.query(
    `SELECT version_etag, to_jsonb(t) - 'updated_at' AS body,
            freshcrm.conditional(version_etag, $2::text, $3::text, $4::text) AS status
       FROM lead_hot AS t WHERE id = $1::integer`,
    [id, request.headers['if-none-match'] ?? null, request.headers['if-match'] ?? null, request.method]);
  if (got === undefined) {
    return [404, {}, { message: 'no such lead' }];
  }
  return [got.status, { ETag: `"${got.version_etag}"` }, got.status === 200 ? got.body : undefined];
}

async function write(pool, request, id) {
  let text = '';
  for await (const piece of request) {
    text += piece;
  }
  if (request.headers['if-match'] === undefined) {
    return [428, {}, { message: 'send If-Match with the tag that was read' }];
  }
  const { rowCount } = await pool.query(
    `UPDATE leads SET status = $2::text
      WHERE id = $1::integer AND freshcrm.check_match('lead_hot', $1::integer, $3::text) IS NOT NULL`,
    [id, JSON.parse(text).status, request.headers['if-match']]);
  return rowCount === 0 ? [404, {}, { message: 'no such lead' }] : [204, {}];
}

async function handle(pool, request) {
  const url = new URL(request.url, 'http://localhost');
  const id = url.pathname.match(/^\/leads\/(\d{1,9})$/)?.[1];
  if (id !== undefined) {
    return request.method === 'PUT' ? write(pool, request, id) : read(pool, request, id);
  }
  return url.pathname === '/leads' ? list(pool, request, url) : [404, {}, { message: 'no such thing' }];
}

// The detail of an error FC… says what the response is.
function ofError(error) {
  if (!/^FC\d{3}$/.test(error.code ?? '')) {
    throw error;
  }
  const { status, headers } = JSON.parse(error.detail);
  return [status, headers, { message: error.message, hint: error.hint }];
}

// Calls `log` with method, path, status and the body's bytes of each response that it sends.
export function start(pool, log) {
  const server = createServer(async (request, response) => {
    try {
      const [status, headers, body] = await handle(pool, request).catch(ofError);
      const headOnly = request.method === 'HEAD' || body === undefined;
      log({ method: request.method, path: request.url, status, bytes: headOnly ? 0 : JSON.stringify(body).length });
      answer(response, status, { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers }, headOnly ? undefined : body);
    } catch (error) {
      log({ method: request.method, path: request.url, status: 500, bytes: 0, error });
      answer(response, 500, {}, { message: 'the server failed' });
    }
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}
