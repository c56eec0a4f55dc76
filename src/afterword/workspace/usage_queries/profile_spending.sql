-- What persons paid, in millionths per currency.
SELECT w.person, currency, sum((price * 1000000)::HUGEINT * quantity) AS millionths
FROM main.events e
JOIN wanted w USING (user_id)
WHERE kind = 'purchase' AND occurred_at <= $as_of
GROUP BY w.person, currency
ORDER BY w.person, currency
