-- conditional(): RFC 9110, section 13. (How fields are read: test/unit/conditional_test.cpp.)
SET client_min_messages = warning;
\set tag '70fbbaac89709d1513c9e25af0ef86c50d98c141eb845f00a204efec039fbfcf'
-- A tag comes with quotes on the wire: comparing strings never finds it (X10).
SELECT freshcrm.conditional(:'tag', '"' || :'tag' || '"') AS not_modified, freshcrm.conditional(:'tag', :'tag') AS without_quotes;
SELECT header, freshcrm.conditional('x', if_none_match => header) AS none_match, freshcrm.conditional('x', if_match => header) AS match,
    freshcrm.conditional('x', if_none_match => header, method => 'PUT') AS none_match_put
FROM unnest(ARRAY['"x"', 'W/"x"', '"a", "x"', '"a",, W/"x" ,', '*', '"a"', '', 'x', '"x', '"x" "a"', '*, "x"', 'w/"x"', '"x"; "a"', NULL]) AS header;
SELECT method, freshcrm.conditional('x', '"x"', method => method) AS matches, freshcrm.conditional('x', '"a"', method => method) AS differs,
    freshcrm.conditional('x', if_match => '"a"', method => method) AS if_match
FROM unnest(ARRAY['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'get', 'BREW', NULL]) AS method;
-- Both: If-Match first.
SELECT freshcrm.conditional('x', '"x"', '"a"') AS failed, freshcrm.conditional('x', '"x"', '"x"') AS not_modified;
-- What does not exist, and what exists under a tag that is not known.
SELECT e AS exists, t AS etag, freshcrm.conditional(t, if_none_match => '*', method => 'PUT', "exists" => e) AS create_only,
    freshcrm.conditional(t, if_match => '*', "exists" => e) AS overwrite_only, freshcrm.conditional(t, '"x"', "exists" => e) AS none_match,
    freshcrm.conditional(t, if_match => '"x"', "exists" => e) AS match
FROM (VALUES (true), (false), (NULL)) AS v (e), (VALUES ('x'), (NULL)) AS w (t);
-- Tags: bare, or as on the wire.
SELECT freshcrm.conditional('"x"', '"x"') AS quoted, freshcrm.conditional('W/"x"', '"x"') AS weak, freshcrm.conditional('W/"x"', if_match => 'W/"x"') AS weak_match,
    freshcrm.conditional('""', '""') AS empty, freshcrm.conditional('W/x', '"W/x"') AS bare;
SELECT freshcrm.conditional('ä€', '"ä€"') AS beyond_ascii, freshcrm.conditional('ä', convert_from('\x22c3a422', 'UTF8')) AS same_bytes;

-- Bad input.
SELECT freshcrm.conditional('');
SELECT freshcrm.conditional('a b');
SELECT freshcrm.conditional('"a');
SELECT freshcrm.conditional('"a" ');
SELECT freshcrm.conditional(E'a\n');
SELECT freshcrm.conditional('a', method => '');
SELECT freshcrm.conditional('a', method => 'G ET');
SELECT freshcrm.conditional('a', convert_from('\x22ff22', 'UTF8'));
SELECT freshcrm.conditional(NULL, NULL, NULL, NULL, NULL);
-- Headers of 100 kB and more.
SELECT freshcrm.conditional('x', repeat('"0123456789", ', 8000) || '"x"') AS found, freshcrm.conditional('x', repeat(', ', 60000)) AS empty,
    freshcrm.conditional('x', '"' || repeat('x', 120000)) AS open, freshcrm.conditional('x', if_match => repeat('"y",', 30000) || 'x') AS malformed,
    freshcrm.conditional(repeat('x', 120000), '"' || repeat('x', 120000) || '"') AS long;
SELECT provolatile, proparallel, proisstrict FROM pg_proc WHERE proname = 'conditional';
