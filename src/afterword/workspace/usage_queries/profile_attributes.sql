-- The latest value of each attribute, whichever of a person's ids it was said of.
SELECT w.person, a.name, a.value
FROM main.attributes a
JOIN wanted w USING (user_id)
QUALIFY row_number() OVER (PARTITION BY w.person, a.name ORDER BY a.position DESC, a.item DESC) = 1
ORDER BY w.person, a.name
