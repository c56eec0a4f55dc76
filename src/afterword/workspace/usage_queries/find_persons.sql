-- The person of each id that anything is known of. A person is gone as soon as the deletion of any of the ids is accepted.
WITH asked AS (
    SELECT DISTINCT i.id, coalesce(a.person, i.id) AS person
    FROM (SELECT unnest($ids::VARCHAR[]) AS id) i
    LEFT JOIN derived.aliases a ON a.user_id = i.id
),
every AS (
    SELECT id, person, person AS user_id FROM asked
    UNION
    SELECT id, person, a.user_id FROM asked JOIN derived.aliases a USING (person)
),
known AS (
    SELECT user_id FROM main.events UNION ALL SELECT user_id FROM main.exposures
    UNION ALL SELECT user_id FROM main.step_messages UNION ALL SELECT user_id FROM main.attributes
    UNION ALL SELECT from_user_id FROM main.merges UNION ALL SELECT to_user_id FROM main.merges
)
SELECT DISTINCT id, person
FROM every
SEMI JOIN known USING (user_id)
WHERE person NOT IN (SELECT person FROM every SEMI JOIN main.deletions USING (user_id))
ORDER BY id
