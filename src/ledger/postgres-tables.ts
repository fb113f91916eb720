/**
 * What a ledger in PostgreSQL is made of: tables that take nothing back, and functions that are the only way in.
 *
 * A gateway needs no right to any table but to read it: `append_group` and its like run with the rights of the owner. A role
 * that may only connect, read and call them cannot change an entry, whatever becomes of the gateway that uses it.
 */
import type postgres from 'postgres'
import { logFunctions, logTableNames, logTables, logTriggers } from './postgres-log-tables.ts'

type Sql = postgres.ISql

/**
 * The text of an entry as PostgreSQL can read it. It cannot hold U+0000 in a text, so that is read as U+FFFD: what is searched
 * may differ in that character, and `matches` decides; the text of the entry does not change.
 */
const readable = (body: string) => `replace(${body}, '\\u0000', '\\ufffd')::json`
/** What is searched, one column each. */
export const words = ['kind', 'at', 'peer', 'jti', 'purpose', 'department', 'code', 'outcome'] as const
/** As `outcomesOf` has it. */
const outcomeOf = (row: string) => `CASE ${row}.kind WHEN 'answered' THEN 'answered' WHEN 'refused' THEN 'refused'
    WHEN 'declined' THEN 'refused' WHEN 'outcome' THEN ${row}.outcome END`
const isInbound = `jti IS NOT NULL AND kind NOT IN ('asked', 'outcome')`

/**
 * So many entries make a segment. The subjects of one stand together in their index: an append touches a page that the appends
 * around it touch too, and not one somewhere among all that the ledger ever had.
 */
export const SEGMENT = 32_768

/** Each with its text, so that a changed one is found; the language is PL/pgSQL throughout. */
const functions: readonly { readonly head: string; readonly name: string; readonly body: string }[] = [
  {
    name: 'refuse_change',
    head: 'refuse_change() RETURNS trigger',
    body: `BEGIN RAISE EXCEPTION 'the ledger takes nothing back: % of %', TG_OP, TG_TABLE_NAME USING ERRCODE = 'XQ001'; END`,
  },
  {
    // Fills the columns that are searched, whoever inserts: they cannot say anything else than the text.
    name: 'follow_head',
    head: 'follow_head() RETURNS trigger',
    body: `DECLARE
  the_index bigint;
  the_head bytea;
BEGIN
  SELECT ix, link INTO the_index, the_head FROM entry ORDER BY ix DESC LIMIT 1;
  IF NOT FOUND THEN SELECT -1, origin INTO the_index, the_head FROM ledger; END IF;
  IF NEW.ix IS DISTINCT FROM the_index + 1 OR NEW.previous IS DISTINCT FROM the_head THEN
    RAISE EXCEPTION 'an entry follows the head' USING ERRCODE = 'XQ001';
  END IF;
  SELECT said.* INTO ${words.map(word => `NEW.${word}`).join(', ')}
    FROM json_to_record(${readable('NEW.body')}) AS said (${words.map(word => `${word} text`).join(', ')});
  NEW.outcome := ${outcomeOf('NEW')};
  RETURN NEW;
END`,
  },
  {
    name: 'come_with_entry',
    head: 'come_with_entry() RETURNS trigger',
    body: `BEGIN
  IF NEW.ix IS DISTINCT FROM (SELECT max(ix) FROM entry) THEN
    RAISE EXCEPTION 'evidence comes with its entry' USING ERRCODE = 'XQ001';
  END IF;
  RETURN NEW;
END`,
  },
  {
    name: 'come_with_evidence',
    head: 'come_with_evidence() RETURNS trigger',
    body: `BEGIN
  IF NOT EXISTS (SELECT FROM evidence WHERE ix = NEW.ix) THEN
    RAISE EXCEPTION 'an answer is signed once' USING ERRCODE = 'XQ001';
  END IF;
  RETURN NEW;
END`,
  },
  {
    name: 'expire_only',
    head: 'expire_only() RETURNS trigger',
    body: `BEGIN
  IF EXISTS (SELECT FROM evidence WHERE ix = OLD.ix AND (TG_TABLE_NAME = 'signed' OR expires_at > extract(epoch FROM now()))) THEN
    RAISE EXCEPTION 'evidence is held until it expires' USING ERRCODE = 'XQ001';
  END IF;
  RETURN OLD;
END`,
  },
  {
    // One statement, and a transaction of its own: no gateway ever holds the lock while it thinks, or when it has died.
    // Asked again for the turn that it took last, it says what it said, so an answer that was lost on the way is no loss.
    name: 'append_group',
    head: `append_group(the_writer uuid, the_turn bigint, the_items json, the_answers json)
  RETURNS TABLE (place bigint, before_it bytea, its_link bytea)`,
    body: `#variable_conflict use_column
DECLARE
  the_head bytea;
  the_index bigint;
  the_last record;
  the_item record;
  the_link bytea;
  the_places bigint[] := '{}';
BEGIN
  IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
    RAISE EXCEPTION 'synchronous_commit is %', current_setting('synchronous_commit') USING ERRCODE = 'XQ002';
  END IF;
  SELECT origin INTO STRICT the_head FROM ledger FOR UPDATE;
  SELECT turn, places INTO the_last FROM writer WHERE id = the_writer;
  IF the_last.turn > the_turn THEN
    RAISE EXCEPTION 'a group that was given up came late' USING ERRCODE = 'XQ002';
  END IF;
  IF the_last.turn = the_turn THEN
    RETURN QUERY SELECT stood.ix, entry.previous, entry.link
      FROM unnest(the_last.places) WITH ORDINALITY AS stood (ix, n) LEFT JOIN entry ON entry.ix = stood.ix ORDER BY n;
    RETURN;
  END IF;
  INSERT INTO signed (ix, header, before, after, signature)
    SELECT answer.ix, answer.header, answer.before, answer.after, answer.signature
      FROM json_to_recordset(the_answers)
        AS answer (ix bigint, header text, before text, after text, signature text)
      WHERE EXISTS (SELECT FROM evidence WHERE ix = answer.ix)
    ON CONFLICT DO NOTHING;
  SELECT ix + 1, link INTO the_index, the_link FROM entry ORDER BY ix DESC LIMIT 1;
  IF FOUND THEN the_head := the_link; ELSE the_index := 0; END IF;
  FOR the_item IN
    SELECT * FROM json_to_recordset(the_items) AS item (body text, question text, answer text, expires bigint)
  LOOP
    the_link := sha256('\\x02'::bytea || the_head || sha256('\\x00'::bytea || convert_to(the_item.body, 'UTF8')));
    INSERT INTO entry (ix, body, previous, link) VALUES (the_index, the_item.body, the_head, the_link)
      ON CONFLICT (peer, jti) WHERE ${isInbound} DO NOTHING;
    place := NULL; before_it := NULL; its_link := NULL;
    IF FOUND THEN
      IF the_item.expires IS NOT NULL THEN
        INSERT INTO evidence (ix, question, answer, expires_at) VALUES (the_index,
          decode(the_item.question, 'base64'), decode(the_item.answer, 'base64'), the_item.expires);
      END IF;
      INSERT INTO subject (uscc, ix)
        SELECT DISTINCT uscc, the_index FROM json_array_elements_text(
          coalesce(${readable('the_item.body')} -> 'subjects', '[]')) AS uscc;
      place := the_index; before_it := the_head; its_link := the_link;
      the_index := the_index + 1;
      the_head := the_link;
    END IF;
    the_places := the_places || place;
    RETURN NEXT;
  END LOOP;
  INSERT INTO writer (id, turn, places, at) VALUES (the_writer, the_turn, the_places, now())
    ON CONFLICT (id) DO UPDATE SET turn = EXCLUDED.turn, places = EXCLUDED.places, at = EXCLUDED.at;
END`,
  },
  {
    name: 'let_go',
    head: 'let_go(the_indexes bigint[], judged_by bigint) RETURNS bigint',
    body: `DECLARE the_count bigint;
BEGIN
  -- No entry is appended from here on: a hold that is placed now waits, and finds what it holds gone or kept.
  PERFORM 1 FROM ledger FOR UPDATE;
  IF EXISTS (SELECT FROM entry WHERE ix >= judged_by AND kind = 'held') THEN RETURN 0; END IF;
  DELETE FROM evidence WHERE ix = ANY (the_indexes) AND expires_at <= extract(epoch FROM now());
  GET DIAGNOSTICS the_count = ROW_COUNT;
  DELETE FROM signed WHERE ix = ANY (the_indexes) AND NOT EXISTS (SELECT FROM evidence WHERE evidence.ix = signed.ix);
  RETURN the_count;
END`,
  },
  ...logFunctions,
  {
    // What is counted need not outlive a crash of the server to the last question, so nobody waits for the disk. Names are taken
    // in one order by everybody: two that count the same never wait for each other.
    name: 'count_up',
    head: 'count_up(the_counts json) RETURNS void',
    body: `DECLARE
  each record;
  the_n bigint;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR each IN
    SELECT * FROM json_to_recordset(the_counts)
      AS count (name text, period bigint, add bigint, most bigint, "from" bigint) ORDER BY name
  LOOP
    INSERT INTO counted AS known VALUES (each.name, each.period, coalesce(each."from", 0) + each.add)
      ON CONFLICT (name) DO UPDATE SET
        n = CASE WHEN known.period < EXCLUDED.period THEN EXCLUDED.n ELSE known.n + each.add END,
        period = greatest(known.period, EXCLUDED.period)
      RETURNING n INTO the_n;
    IF the_n > each.most THEN RAISE EXCEPTION '%', each.name USING ERRCODE = 'XQ003'; END IF;
  END LOOP;
END`,
  },
  {
    name: 'try_write',
    head: 'try_write() RETURNS void',
    body: `BEGIN
  UPDATE probe SET turn = turn + 1;
  DELETE FROM writer WHERE at < now() - interval '1 day';
END`,
  },
]

/** All texts that a version stands for. */
export const versionTexts = (): string => JSON.stringify([tables, functions, triggers])

/** The tables that hold what is never taken back; a role may read them. */
const kept = ['ledger', 'entry', 'evidence', 'signed', 'subject', ...logTableNames]

/** A trigger by its table and name, and what follows those two words. */
const triggers: readonly (readonly [table: string, name: string, rest: string])[] = [
  ...kept.map(
    table =>
      [
        table,
        `${table}_not_truncated`,
        'BEFORE TRUNCATE %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
      ] as const,
  ),
  ['ledger', 'ledger_not_changed', 'BEFORE UPDATE OR DELETE %s FOR EACH ROW EXECUTE FUNCTION refuse_change()'],
  ['entry', 'entry_not_changed', 'BEFORE UPDATE OR DELETE %s FOR EACH ROW EXECUTE FUNCTION refuse_change()'],
  ['entry', 'entry_follows_head', 'BEFORE INSERT %s FOR EACH ROW EXECUTE FUNCTION follow_head()'],
  ['subject', 'subject_not_changed', 'BEFORE UPDATE OR DELETE %s FOR EACH ROW EXECUTE FUNCTION refuse_change()'],
  ['evidence', 'evidence_not_updated', 'BEFORE UPDATE %s FOR EACH ROW EXECUTE FUNCTION refuse_change()'],
  ['evidence', 'evidence_beside_entry', 'BEFORE INSERT %s FOR EACH ROW EXECUTE FUNCTION come_with_entry()'],
  ['evidence', 'evidence_expires', 'BEFORE DELETE %s FOR EACH ROW EXECUTE FUNCTION expire_only()'],
  ...logTriggers,
  ['signed', 'signed_not_updated', 'BEFORE UPDATE %s FOR EACH ROW EXECUTE FUNCTION refuse_change()'],
  ['signed', 'signed_beside_evidence', 'BEFORE INSERT %s FOR EACH ROW EXECUTE FUNCTION come_with_evidence()'],
  ['signed', 'signed_expires', 'BEFORE DELETE %s FOR EACH ROW EXECUTE FUNCTION expire_only()'],
]

const inSegment = `segment bigint GENERATED ALWAYS AS (ix / ${SEGMENT}) STORED`

/**
 * As in SQLite one fact stands in one place, and what is searched is computed from the text. Here each column has an index
 * of its own with the place behind it, so that the newest entries of a peer are read from its end.
 */
const tables = [
  `CREATE TABLE ledger (
    one integer PRIMARY KEY CHECK (one = 1),
    city text NOT NULL,
    id text NOT NULL,
    created text NOT NULL,
    origin bytea NOT NULL CHECK (length(origin) = 32)
  )`,
  `CREATE TABLE entry (
    ix bigint PRIMARY KEY,
    body text COLLATE "C" NOT NULL,
    previous bytea NOT NULL CHECK (length(previous) = 32),
    link bytea NOT NULL CHECK (link = sha256('\\x02'::bytea || previous || sha256('\\x00'::bytea || convert_to(body, 'UTF8')))),
    ${words.map(word => `${word} text COLLATE "C"`).join(',\n    ')}
  )`,
  `CREATE UNIQUE INDEX entry_inbound ON entry (peer, jti) WHERE ${isInbound}`,
  `CREATE INDEX entry_at ON entry (at, ix)`,
  ...['kind', 'peer', 'purpose', 'department', 'outcome', 'code'].map(
    name => `CREATE INDEX entry_${name} ON entry (${name}, ix) WHERE ${name} IS NOT NULL`,
  ),
  `CREATE TABLE subject (uscc text COLLATE "C", ix bigint, ${inSegment}, PRIMARY KEY (segment, uscc, ix))`,
  // Texts of whatever a peer sent: as bytes, since PostgreSQL has no text with U+0000.
  `CREATE TABLE evidence (ix bigint PRIMARY KEY, question bytea, answer bytea, expires_at bigint NOT NULL)`,
  `CREATE TABLE signed (ix bigint PRIMARY KEY, header text, before text NOT NULL, after text, signature text)`,
  ...logTables,
  `CREATE TABLE writer (id uuid PRIMARY KEY, turn bigint NOT NULL, places bigint[] NOT NULL, at timestamptz NOT NULL)`,
  `CREATE TABLE counted (name text PRIMARY KEY, period bigint NOT NULL, n bigint NOT NULL)`,
  `CREATE TABLE probe (one integer PRIMARY KEY CHECK (one = 1), turn bigint NOT NULL)`,
  `INSERT INTO probe VALUES (1, 0)`,
]

/**
 * The version of all that stands above and in postgres-log-tables.ts, kept as the comment on the table `ledger`. Whoever changes a
 * table, function or trigger counts up here, and adds to `steps` what the tables of before lack; tests hold the texts of each
 * version to their digest.
 */
export const VERSION = 2

/** What brings the tables of version 0, 1, … to the next one. Tables without a version were made before there was one. */
const steps: readonly (readonly string[])[] = [
  [],
  [
    `ALTER TABLE subject DROP CONSTRAINT subject_pkey, ADD ${inSegment}`,
    'ALTER TABLE subject ADD PRIMARY KEY (segment, uscc, ix)',
  ],
]

/** Makes the tables in the first schema of the connection's search_path, which has to be there. Runs in the caller's transaction. */
export async function makeTables(sql: Sql): Promise<void> {
  for (const text of tables) await sql.unsafe(text)
  await makeFunctions(sql)
}

/**
 * Brings tables of an earlier version up to this one, functions and triggers made anew; gives from which version. Roles that could
 * append can again. Runs in the caller's transaction, which is the owner's; whoever appends waits for its end. Throws Error where
 * the tables are of a later version.
 */
export async function bringUpTables(sql: Sql): Promise<number> {
  // In the order in which searches take them, so that neither waits for the other.
  await sql`LOCK TABLE ledger, evidence, signed, subject, entry IN ACCESS EXCLUSIVE MODE`
  const version = (await versionOf(sql)) ?? 0
  if (!(version <= VERSION)) throw new Error(otherVersion(version))
  const roles = await sql<{ name: string }[]>`
    SELECT DISTINCT rolname AS name FROM pg_proc, aclexplode(proacl) AS given JOIN pg_roles ON pg_roles.oid = given.grantee
      WHERE pronamespace = current_schema()::regnamespace AND proname = 'append_group' AND grantee <> proowner`
  for (const step of steps.slice(version)) for (const text of step) await sql.unsafe(text)
  for (const [table, name] of triggers) await sql.unsafe(`DROP TRIGGER IF EXISTS ${name} ON ${table}`)
  const made = await sql<{ signature: string }[]>`
    SELECT pg_proc.oid::regprocedure::text AS signature FROM pg_proc
      WHERE pronamespace = current_schema()::regnamespace AND proname = ANY (string_to_array(${functions.map(({ name }) => name).join()}, ','))`
  for (const { signature } of made) await sql.unsafe(`DROP FUNCTION ${signature}`)
  await makeFunctions(sql)
  for (const { name } of roles) await grantTo(sql, name)
  return version
}

/** Undefined where there is no ledger. */
async function versionOf(sql: Sql): Promise<number | undefined> {
  const [row] = await sql<{ isThere: boolean; said: string | null }[]>`
    SELECT ledger IS NOT NULL AS "isThere", obj_description(ledger, 'pg_class') AS said
      FROM to_regclass(format('%I.ledger', current_schema())) AS ledger`
  return row?.isThere === true ? Number(row.said ?? 0) : undefined
}

function otherVersion(version: number): string {
  const remedy =
    version < VERSION
      ? 'with all gateways ended, its owner calls `xinqiao ledger upgrade URL`'
      : 'use the later program'
  return `the tables are of version ${version}, and this program is for version ${VERSION}: ${remedy}`
}

async function makeFunctions(sql: Sql): Promise<void> {
  for (const { head, name, body } of functions) {
    await sql.unsafe(
      `CREATE FUNCTION ${head} LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $ledger$${body}$ledger$`,
    )
    await sql.unsafe(`REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`)
  }
  for (const [table, name, rest] of triggers) {
    await sql.unsafe(`CREATE TRIGGER ${name} ${rest.replace('%s', `ON ${table}`)}`)
  }
  await sql.unsafe(`COMMENT ON TABLE ledger IS '${VERSION}'`)
}

/** Lets a role append and read, and nothing else. */
export async function grantTo(sql: Sql, role: string): Promise<void> {
  const [row] = await sql<{ schema: string }[]>`SELECT current_schema() AS schema`
  const schema = sql(row?.schema ?? 'public')
  await sql`GRANT USAGE ON SCHEMA ${schema} TO ${sql(role)}`
  for (const table of kept) await sql`GRANT SELECT ON ${sql(table)} TO ${sql(role)}`
  const doors = functions.filter(({ head }) => !head.endsWith('RETURNS trigger'))
  for (const { name } of doors) await sql`GRANT EXECUTE ON FUNCTION ${sql(name)} TO ${sql(role)}`
}

/** How tables, triggers and functions differ from those that `makeTables` makes, one sentence each; none when they do not. */
export async function tableFaults(sql: Sql): Promise<string[]> {
  const version = await versionOf(sql)
  // Of another version nothing else can be said.
  if (version !== undefined && version !== VERSION) return [otherVersion(version)]
  const faults: string[] = []
  const found = await sql<{ name: string; body: string }[]>`
    SELECT proname AS name, prosrc AS body FROM pg_proc WHERE pronamespace = current_schema()::regnamespace`
  for (const { name, body } of functions) {
    const there = found.filter(each => each.name === name)
    if (there.length === 0) faults.push(`function ${name} is missing`)
    else if (there.some(each => each.body !== body)) faults.push(`function ${name} was changed`)
  }
  const hung = await sql<{ name: string; at: string; enabled: string; text: string }[]>`
    SELECT tgname AS name, relname AS at, tgenabled AS enabled, pg_get_triggerdef(pg_trigger.oid) AS text
      FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
      WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal`
  for (const [table, name, rest] of triggers) {
    const trigger = hung.find(each => each.name === name && each.at === table)
    const [event = ''] = rest.split(' %s')
    if (trigger === undefined) faults.push(`trigger ${name} is missing`)
    else if (trigger.enabled !== 'O' && trigger.enabled !== 'A') faults.push(`trigger ${name} is switched off`)
    else if (!sameEvents(trigger.text, event) || trigger.text.includes(' WHEN ('))
      faults.push(`trigger ${name} was changed`)
  }
  const ours = new Set([...kept, 'writer', 'probe'])
  for (const { name, at } of hung) {
    if (ours.has(at) && !triggers.some(each => each[0] === at && each[1] === name))
      faults.push(`trigger ${name} was added`)
  }
  const [index] = await sql<{ sound: boolean }[]>`
    SELECT indisunique AND indisvalid AS sound FROM pg_index
      WHERE indexrelid = to_regclass(format('%I.entry_inbound', current_schema()))`
  if (index?.sound !== true) faults.push('index entry_inbound is missing')
  return faults
}

/** PostgreSQL writes the events of a trigger in an order of its own. */
function sameEvents(text: string, wanted: string): boolean {
  const events = (each: string) =>
    each
      .match(/BEFORE|AFTER|INSERT|DELETE|UPDATE|TRUNCATE/g)
      ?.sort()
      .join() ?? ''
  return events(text.slice(text.indexOf(' BEFORE '), text.indexOf(' ON '))) === events(wanted)
}
