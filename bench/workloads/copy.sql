-- COPY of activities, each the latest of its lead. (bench/run puts the name of the file in.)
COPY crm.activities (lead_id, kind) FROM '@COPY_FILE@';
