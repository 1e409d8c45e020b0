-- The table of `make bench-etags`. Medians over the repetitions, of times less that of an empty scan.
\set ON_ERROR_STOP on
\pset footer off
\pset null ''

CREATE TABLE bench.medians AS
SELECT r.way, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.ns - CASE WHEN r.way LIKE 'openssl%' THEN 0 ELSE s.ns END) AS ns
  FROM bench.raw AS r JOIN bench.raw AS s ON s.way = 'scan' AND s.repetition = r.repetition
 GROUP BY r.way;
CREATE TABLE bench.named AS
SELECT m.*, s.what FROM bench.medians AS m LEFT JOIN bench.sizes AS s ON m.way = 'openssl ' || s.bytes;
SELECT ns AS tag FROM bench.named WHERE way = 'etag' \gset
SELECT ns AS row_tag FROM bench.named WHERE way = 'row_etag' \gset
SELECT ns AS alone FROM bench.named WHERE what = 'text' \gset

\echo
\echo 'A tag of a lead of 11 columns, ns a row, beyond the scan.'
SELECT d.what, round(m.ns) AS ns, round((m.ns / :tag)::numeric, 2) AS "× etag", round((m.ns / :row_tag)::numeric, 2) AS "× row_etag"
  FROM bench.named AS m
  JOIN (VALUES (1, 'openssl', 'text', 'OpenSSL alone, on the bytes of the text'), (2, 'openssl', 'form', 'OpenSSL alone, on the canonical form'),
               (3, 'columns', NULL, 'reading the last column'), (4, 'row', NULL, 'making the row a value'),
               (5, 'etag', NULL, 'etag(columns)'), (6, 'row_etag', NULL, 'row_etag(lead)'),
               (7, 'concat_ws', NULL, 'concat_ws(columns)'), (8, 'pgcrypto', NULL, 'encode(digest(concat_ws(…), ''sha256''), ''hex'')'),
               (9, 'sha256', NULL, 'encode(sha256(convert_to(concat_ws(…))), ''hex'')'),
               (10, 'etag_agg', NULL, 'etag_agg(lead)'), (11, 'etag_set', NULL, 'etag_set(lead)')) AS d (place, way, size, what)
    ON (m.way = d.way OR m.way LIKE 'openssl%' AND d.way = 'openssl') AND m.what IS NOT DISTINCT FROM d.size
 ORDER BY d.place;

\echo 'Goals: 450 ns where OpenSSL alone takes 190 for the bytes of the text; a quarter of pgcrypto and of sha256().'
SELECT goal, round(reached::numeric, 2) AS reached, round(wanted::numeric, 2) AS wanted, CASE WHEN met THEN 'pass' ELSE 'FAIL' END AS met
  FROM (SELECT 1, 'etag / OpenSSL alone', :tag / :alone, 450.0 / 190, :tag / :alone <= 450.0 / 190
        UNION ALL SELECT 2, 'row_etag / OpenSSL alone', :row_tag / :alone, 450.0 / 190, :row_tag / :alone <= 450.0 / 190
        UNION ALL SELECT 3, 'etag, ns', :tag, 450, :tag <= 450
        UNION ALL SELECT 4, way || ' / etag', ns / :tag, 4, ns / :tag >= 4 FROM bench.medians WHERE way IN ('pgcrypto', 'sha256')
        UNION ALL SELECT 5, way || ' / row_etag', ns / :row_tag, 4, ns / :row_tag >= 4 FROM bench.medians WHERE way IN ('pgcrypto', 'sha256'))
       AS g (place, goal, reached, wanted, met)
 ORDER BY place, goal;
