-- How a head-end keeps what gateways send (docs/cloud.md). PostgreSQL 13 or later.
-- Rows and cursor move in one transaction; a row is never updated; acknowledge after COMMIT.

CREATE TABLE gateway (
    gateway text PRIMARY KEY CHECK (gateway ~ '^[0-9a-f]{32}$'),
    branch integer NOT NULL DEFAULT 1,
    number bigint NOT NULL DEFAULT 0,
    profile bigint NOT NULL DEFAULT 0
);

CREATE TABLE journal_row (
    gateway text NOT NULL REFERENCES gateway,
    branch integer NOT NULL,
    number bigint NOT NULL,
    at timestamptz NOT NULL,
    body text NOT NULL,
    hash text NOT NULL,
    decision text GENERATED ALWAYS AS (body::jsonb ->> 'decision') STORED,
    PRIMARY KEY (gateway, branch, number)
);

CREATE TABLE profile_row (
    gateway text NOT NULL REFERENCES gateway,
    boundary timestamptz NOT NULL,
    node bigint NOT NULL,
    register_wh numeric NOT NULL,
    exact boolean NOT NULL,
    PRIMARY KEY (gateway, node, boundary)
);

CREATE TABLE order_given (
    gateway text NOT NULL REFERENCES gateway,
    sequence bigint NOT NULL,
    name text NOT NULL,
    content jsonb NOT NULL,
    receipt jsonb,
    PRIMARY KEY (gateway, sequence),
    UNIQUE (gateway, name)
);

-- Stores rows from `first` on and returns the cursor. Rows that are there already change nothing; one with another hash is an error.
CREATE FUNCTION land_journal(of_gateway text, of_branch integer, first bigint, times bigint[], bodies text[], hashes text[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    cursor_now bigint;
BEGIN
    INSERT INTO gateway (gateway) VALUES (of_gateway) ON CONFLICT DO NOTHING;
    SELECT number INTO cursor_now FROM gateway WHERE gateway = of_gateway FOR UPDATE;
    IF first > cursor_now + 1 THEN
        RETURN cursor_now;
    END IF;
    IF EXISTS (
        SELECT FROM unnest(hashes) WITH ORDINALITY AS new (hash, place)
        JOIN journal_row AS old ON old.gateway = of_gateway AND old.branch = of_branch AND old.number = first + place - 1
        WHERE old.hash <> new.hash
    ) THEN
        RAISE EXCEPTION 'gateway % has other records than those stored', of_gateway;
    END IF;
    INSERT INTO journal_row (gateway, branch, number, at, body, hash)
        SELECT of_gateway, of_branch, first + place - 1, to_timestamp(at), body, hash
        FROM unnest(times, bodies, hashes) WITH ORDINALITY AS new (at, body, hash, place)
        WHERE first + place - 1 > cursor_now;
    UPDATE gateway SET number = greatest(number, first + cardinality(hashes) - 1)
        WHERE gateway = of_gateway RETURNING number INTO cursor_now;
    RETURN cursor_now;
END $$;

-- Stores profile rows and returns the cursor. An exact row replaces an estimated one, nothing replaces an exact one.
CREATE FUNCTION land_profile(of_gateway text, upto bigint, ends bigint[], nodes bigint[], registers numeric[], exacts boolean[])
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    cursor_now bigint;
BEGIN
    INSERT INTO gateway (gateway) VALUES (of_gateway) ON CONFLICT DO NOTHING;
    SELECT profile INTO cursor_now FROM gateway WHERE gateway = of_gateway FOR UPDATE;
    IF upto <= cursor_now THEN
        RETURN cursor_now;
    END IF;
    INSERT INTO profile_row (gateway, boundary, node, register_wh, exact)
        SELECT DISTINCT ON (ends, node) of_gateway, to_timestamp(ends), node, register, exact
        FROM unnest(ends, nodes, registers, exacts) AS new (ends, node, register, exact)
        ORDER BY ends, node, exact DESC
        ON CONFLICT (gateway, node, boundary) DO UPDATE
        SET register_wh = excluded.register_wh, exact = true
        WHERE excluded.exact AND NOT profile_row.exact;
    UPDATE gateway SET profile = upto WHERE gateway = of_gateway;
    RETURN upto;
END $$;

-- Money that moved on the present branch of a gateway.
CREATE VIEW vend AS
    SELECT gateway, number AS receipt, at, (body::jsonb ->> 'usage_point')::bigint AS usage_point,
        (body::jsonb ->> 'amount')::bigint AS amount_micro, body::jsonb ->> 'key' AS payment
    FROM journal_row WHERE decision = 'vended';
