
-- The plans inside a function. Volatile: they depend on statistics and settings. Everybody may: it shows nobody more
-- than EXPLAIN does, and runs a function only for who may run it.
CREATE FUNCTION freshcrm.explain_rpc(function text) RETURNS TABLE ("QUERY PLAN" text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'freshcrm_explain_rpc';

COMMENT ON FUNCTION freshcrm.explain_rpc(text) IS
'the plans of the statements inside a function without arguments, as the calling role gets them; runs nothing';

CREATE FUNCTION freshcrm.explain_rpc(function text, VARIADIC arguments "any") RETURNS TABLE ("QUERY PLAN" text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'freshcrm_explain_rpc';

COMMENT ON FUNCTION freshcrm.explain_rpc(text, "any") IS
'the plans of the statements inside a function that is called with these arguments, as the calling role gets them; runs nothing';

CREATE FUNCTION freshcrm.explain_rpc_with(function text, arguments jsonb DEFAULT '{}', options jsonb DEFAULT '{}')
RETURNS TABLE ("QUERY PLAN" text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'freshcrm_explain_rpc_with';

COMMENT ON FUNCTION freshcrm.explain_rpc_with(text, jsonb, jsonb) IS
'explain_rpc with named arguments (or an array of them) and the options of EXPLAIN; with {"analyze": true} it RUNS the function, with all that it does';

GRANT EXECUTE ON FUNCTION freshcrm.explain_rpc(text), freshcrm.explain_rpc(text, "any"), freshcrm.explain_rpc_with(text, jsonb, jsonb) TO PUBLIC;
