/** The tables of the log in PostgreSQL take nothing back either: the same rules as in the embedded ledger, in its words. */

/** The log beside the entries; of `tile`, `root` stands before the hashes as in `tables.ts`. */
export const logTables = [
  `CREATE TABLE tile (
    level integer NOT NULL,
    n bigint NOT NULL,
    root bytea NOT NULL CHECK (length(root) = 32),
    hashes bytea NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, n)
  )`,
  `CREATE TABLE checkpoint (size bigint PRIMARY KEY, note text NOT NULL, at text NOT NULL)`,
  `CREATE TABLE witnessed (
    ix bigint PRIMARY KEY,
    city text COLLATE "C" NOT NULL,
    origin text NOT NULL,
    key text NOT NULL,
    size bigint NOT NULL,
    note text NOT NULL,
    at text NOT NULL
  )`,
  `CREATE TABLE contradiction (
    ix bigint PRIMARY KEY,
    city text COLLATE "C" NOT NULL,
    name text NOT NULL,
    held text NOT NULL,
    found text NOT NULL,
    detail text NOT NULL,
    at text NOT NULL,
    acknowledged_by text,
    acknowledged_at text
  )`,
]

export const logTableNames = ['tile', 'checkpoint', 'witnessed', 'contradiction'] as const

const refuses = (sentence: string) => `RAISE EXCEPTION '${sentence}' USING ERRCODE = 'XQ001'`

/** Each with its text, as in `postgres-tables.ts`. */
export const logFunctions: readonly { readonly head: string; readonly name: string; readonly body: string }[] = [
  {
    name: 'follow_tile',
    head: 'follow_tile() RETURNS trigger',
    body: `BEGIN
  IF NEW.n IS DISTINCT FROM (SELECT coalesce(max(n), -1) + 1 FROM tile WHERE level = NEW.level) THEN
    ${refuses('a tile follows the one before it')};
  END IF;
  RETURN NEW;
END`,
  },
  {
    name: 'grow_checkpoint',
    head: 'grow_checkpoint() RETURNS trigger',
    body: `BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.size <= (SELECT max(size) FROM checkpoint) OR NEW.size > (SELECT coalesce(max(ix), -1) + 1 FROM entry) THEN
      ${refuses('a checkpoint is larger than the one before it, and of what is there')};
    END IF;
    RETURN NEW;
  ELSIF TG_OP = 'UPDATE' THEN
    IF NEW.size <> OLD.size OR NEW.at <> OLD.at OR NOT starts_with(NEW.note, OLD.note) THEN
      ${refuses('a checkpoint does not change')};
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.size = (SELECT max(size) FROM checkpoint) THEN ${refuses('the newest checkpoint stays')}; END IF;
  RETURN OLD;
END`,
  },
  {
    name: 'grow_witnessed',
    head: 'grow_witnessed() RETURNS trigger',
    body: `BEGIN
  IF (NEW.ix, NEW.city, NEW.origin, NEW.key) IS DISTINCT FROM (OLD.ix, OLD.city, OLD.origin, OLD.key)
    OR NEW.size < OLD.size OR (NEW.size = OLD.size AND OLD.note <> '') THEN
    ${refuses('what was cosigned only grows')};
  END IF;
  RETURN NEW;
END`,
  },
  {
    name: 'acknowledge_only',
    head: 'acknowledge_only() RETURNS trigger',
    body: `BEGIN
  IF OLD.acknowledged_by IS NOT NULL OR NEW.acknowledged_by IS NULL OR NEW.acknowledged_at IS NULL
    OR (NEW.ix, NEW.city, NEW.name, NEW.held, NEW.found, NEW.detail, NEW.at)
      IS DISTINCT FROM (OLD.ix, OLD.city, OLD.name, OLD.held, OLD.found, OLD.detail, OLD.at) THEN
    ${refuses('a contradiction does not change')};
  END IF;
  RETURN NEW;
END`,
  },
  {
    // Whoever integrates: the one whose checkpoint is still the newest when the lock is theirs.
    name: 'extend_log',
    head: 'extend_log(the_after bigint, the_tiles json, the_size bigint, the_note text, the_at text, the_wait integer) RETURNS boolean',
    body: `BEGIN
  IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
    RAISE EXCEPTION 'synchronous_commit is %', current_setting('synchronous_commit') USING ERRCODE = 'XQ002';
  END IF;
  LOCK TABLE checkpoint IN EXCLUSIVE MODE;
  IF (SELECT max(size) FROM checkpoint) IS DISTINCT FROM the_after THEN RETURN false; END IF;
  INSERT INTO tile (level, n, root, hashes)
    SELECT made.level, made.n, decode(made.root, 'base64'), decode(made.hashes, 'base64')
      FROM json_to_recordset(the_tiles) AS made (level integer, n bigint, root text, hashes text)
      ORDER BY made.level, made.n;
  INSERT INTO checkpoint VALUES (the_size, the_note, the_at);
  DELETE FROM checkpoint
    WHERE size = (SELECT size FROM checkpoint ORDER BY size DESC OFFSET the_wait LIMIT 1)
      AND strpos(substr(note, strpos(note, E'\\n— ') + 1), E'\\n— ') = 0;
  RETURN true;
END`,
  },
  {
    // A line is a cosignature, of 76 bytes; name and the first 30 bits of the key id stand for the key. The bounds are those of
    // a note, beyond which nobody would read it.
    name: 'cosign_checkpoint',
    head: 'cosign_checkpoint(the_size bigint, the_lines json) RETURNS void',
    body: `DECLARE
  the_line text;
  the_note text;
  the_count integer;
BEGIN
  LOCK TABLE checkpoint IN EXCLUSIVE MODE;
  SELECT note, (length(note) - length(replace(note, E'\\n— ', ''))) / 3 INTO the_note, the_count
    FROM checkpoint WHERE size = the_size;
  FOR the_line IN SELECT json_array_elements_text(the_lines) LOOP
    EXIT WHEN the_note IS NULL OR the_count >= 1024 OR length(the_note) + length(the_line) > 262144;
    CONTINUE WHEN the_line !~ '^— [!-*,-~]{1,255} [A-Za-z0-9+/]{101}[AQgw]==\\n$'
      OR strpos(the_note, E'\\n' || substring(the_line FROM '^— [^ ]+ .{5}')) > 0;
    the_note := the_note || the_line;
    the_count := the_count + 1;
  END LOOP;
  UPDATE checkpoint SET note = the_note WHERE size = the_size AND note <> the_note;
END`,
  },
  {
    name: 'know_log',
    head: 'know_log(the_city text, the_origin text, the_key text, the_size bigint, the_note text, the_at text) RETURNS void',
    body: `BEGIN
  LOCK TABLE witnessed IN EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM witnessed WHERE city = the_city) THEN RETURN; END IF;
  INSERT INTO witnessed
    SELECT coalesce(max(ix), -1) + 1, the_city, the_origin, the_key, the_size, the_note, the_at FROM witnessed;
END`,
  },
  {
    name: 'witness_log',
    head: 'witness_log(the_city text, the_size bigint, the_note text, the_at text, the_after bigint) RETURNS boolean',
    body: `BEGIN
  LOCK TABLE witnessed IN EXCLUSIVE MODE;
  UPDATE witnessed SET size = the_size, note = the_note, at = the_at
    WHERE ix = (SELECT max(ix) FROM witnessed WHERE city = the_city) AND size = the_after;
  RETURN FOUND;
END`,
  },
  {
    name: 'record_contradiction',
    head: 'record_contradiction(the_city text, the_name text, the_held text, the_found text, the_detail text, the_at text) RETURNS boolean',
    body: `BEGIN
  LOCK TABLE contradiction IN EXCLUSIVE MODE;
  IF EXISTS (SELECT FROM contradiction WHERE city = the_city AND name = the_name
    AND (held = the_held AND (name <> 'replaced' OR acknowledged_by IS NULL)
      OR acknowledged_by IS NULL AND city <> (SELECT city FROM ledger))) THEN
    RETURN false;
  END IF;
  INSERT INTO contradiction SELECT coalesce(max(ix), -1) + 1, the_city, the_name, the_held, the_found, the_detail, the_at
    FROM contradiction;
  RETURN true;
END`,
  },
  {
    // The only door to another log of a city: what is held of it comes from the rows that are there, not from who calls.
    name: 'acknowledge_contradictions',
    head: `acknowledge_contradictions(the_city text, the_seen bigint, the_one text, the_at text, the_origin text, the_key text)
  RETURNS bigint`,
    body: `DECLARE
  the_names text[];
  held record;
BEGIN
  LOCK TABLE contradiction, witnessed IN EXCLUSIVE MODE;
  WITH marked AS (
    UPDATE contradiction SET acknowledged_by = the_one, acknowledged_at = the_at WHERE acknowledged_by IS NULL
      AND ix IN (SELECT ix FROM contradiction WHERE city = the_city ORDER BY ix LIMIT the_seen) RETURNING name)
  SELECT coalesce(array_agg(name), '{}') INTO the_names FROM marked;
  IF the_origin IS NOT NULL AND 'replaced' = ANY (the_names) THEN
    SELECT size, note, at INTO held FROM witnessed WHERE city = the_city AND origin = the_origin ORDER BY ix DESC LIMIT 1;
    INSERT INTO witnessed
      SELECT coalesce(max(ix), -1) + 1, the_city, the_origin, the_key,
        coalesce(held.size, 0), coalesce(held.note, ''), coalesce(held.at, the_at) FROM witnessed;
  END IF;
  RETURN cardinality(the_names);
END`,
  },
]

const never = (events: string) => `BEFORE ${events} %s FOR EACH ROW EXECUTE FUNCTION refuse_change()`

/** A trigger by its table and name, and what follows those two words, as in `postgres-tables.ts`. */
export const logTriggers: readonly (readonly [table: string, name: string, rest: string])[] = [
  ['tile', 'tile_follows', 'BEFORE INSERT %s FOR EACH ROW EXECUTE FUNCTION follow_tile()'],
  ['tile', 'tile_not_changed', never('UPDATE OR DELETE')],
  [
    'checkpoint',
    'checkpoint_grows',
    'BEFORE INSERT OR UPDATE OR DELETE %s FOR EACH ROW EXECUTE FUNCTION grow_checkpoint()',
  ],
  ['witnessed', 'witnessed_grows', 'BEFORE UPDATE %s FOR EACH ROW EXECUTE FUNCTION grow_witnessed()'],
  ['witnessed', 'witnessed_not_deleted', never('DELETE')],
  [
    'contradiction',
    'contradiction_is_acknowledged',
    'BEFORE UPDATE %s FOR EACH ROW EXECUTE FUNCTION acknowledge_only()',
  ],
  ['contradiction', 'contradiction_stays', never('DELETE')],
]
