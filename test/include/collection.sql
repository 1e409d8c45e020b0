-- The tag of a collection, computed as src/projection/collection_tag.hpp and src/core/ say, with nothing of freshcrm
-- but the rows' tags, the secret and, for the values of the scope, etag(): `scope_etag` is the latter, `rows` a query for
-- the tags of the rows.
CREATE FUNCTION computed_etag(projection regclass, scope_columns name[], scope_etag text, rows text) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
    secret bytea := (SELECT p.secret FROM freshcrm.projection p WHERE p.target = computed_etag.projection);
    total numeric := 0;
    count bigint := 0;
    element bytea;
    nodes bytea;
    tag text;
BEGIN
    FOR tag IN EXECUTE rows LOOP
        element := sha256(secret || convert_to(tag, 'UTF8'));
        total := mod(total + (SELECT sum(get_byte(element, i) * 256::numeric ^ (31 - i)) FROM generate_series(0, 31) i),
                     2::numeric ^ 256);
        count := count + 1;
    END LOOP;
    nodes := node('collection', '1');
    FOR i IN 1 .. coalesce(cardinality(scope_columns), 0) LOOP
        nodes := nodes || node('name', convert_to(scope_columns[i], 'UTF8'));
    END LOOP;
    nodes := nodes || node('scope', convert_to(scope_etag, 'UTF8')) || node('rows', int8send(count))
        || node('sum', (SELECT string_agg(set_byte('\x00', 0, mod(div(total, 256::numeric ^ (31 - i)), 256)::int), '' ORDER BY i)
                        FROM generate_series(0, 31) i));
    RETURN encode(sha256('\x01' || int4send(4 + coalesce(cardinality(scope_columns), 0)) || nodes), 'hex');
END
$$;

-- A value in the canonical form of a row (src/core/digest.hpp).
CREATE FUNCTION node(type text, value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE
RETURN '\x01' || int4send(length(type)) || convert_to(type, 'UTF8') || int8send(length(value)) || value;
