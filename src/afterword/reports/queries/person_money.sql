-- The purchases of persons whose money is not all in the reporting currency, less refunds.
SELECT
    campaign,
    "user",
    currency,
    occurred_day - DATE '1970-01-01' AS occurred_day,
    before::UTINYINT AS before,
    net
FROM person_money
