-- Every person who was exposed to one variant of a campaign: how many units had converted at the age of each conversion
-- event (y) of how many (m), what the person did before (x), and money, in millionths of the reporting currency.
SELECT
    campaign,
    variant,
    "user",
    first_exposed_at,
    first_day - DATE '1970-01-01' AS first_day,
    y_a, y_b, y_c, y_d,
    m_a, m_b, m_c, m_d,
    x_a, x_b, x_c, x_d,
    earned,
    earned_before,
    apart::UTINYINT AS apart,
    guards
FROM persons
