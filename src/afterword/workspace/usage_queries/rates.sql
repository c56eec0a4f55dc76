SELECT currency, date - DATE '1970-01-01' AS day, rate FROM main.rates WHERE date BETWEEN $first AND $last
