-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION freshcrm" to load this file. \quit


-- Every function grants or revokes EXECUTE by itself.
GRANT USAGE ON SCHEMA freshcrm TO PUBLIC;

