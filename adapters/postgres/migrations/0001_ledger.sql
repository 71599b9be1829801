-- The log of all events. Positions (notification_id, the library's name) are assigned by the writer, without gaps.
-- "C" compares bytes: ids sort as they do everywhere else, and faster than by a language's rules.
create table events (
    notification_id bigint primary key,
    originator_id text collate "C" not null,
    originator_version bigint not null,
    topic text collate "C" not null,
    state bytea not null,
    digest bytea not null,
    unique (originator_id, originator_version)
) with (
    -- Rows are only ever added, so there is nothing to clean up but the visibility map.
    autovacuum_vacuum_insert_scale_factor = 0.1
);

-- Large values beside the log, so that they can be erased and the log still verifies.
create table blobs (
    key text collate "C" primary key,
    value bytea not null
);

-- Which node may write, and until when by this database's clock. One row, for ever.
create table lease (
    name text collate "C" primary key,
    holder text not null,
    address text not null,
    until timestamptz not null
);
