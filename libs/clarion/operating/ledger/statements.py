"""The tables of a `Spill`, and what it asks of them: SQL, as SQLite 3.33 and later know it."""

from typing import Final

# `page` has the ids that a question is about. A place is dead if the nearest dead letter at or below its end reaches
# it. An older one is of an earlier topic of that name; brokers' clocks may differ by five minutes.
TABLES: Final = """
    CREATE TABLE unsorted (id, content, plan, topic, part, pos, came, recipient, way);
    CREATE TABLE records (
        id BLOB, topic INT, part INT, pos INT, content BLOB, plan BLOB, came INT, recipient TEXT, way INT,
        PRIMARY KEY (id, topic, part, pos)
    ) WITHOUT ROWID;
    CREATE TABLE odd (
        topic INT, part INT, pos INT, last INT, came INT, error TEXT, PRIMARY KEY (topic, part, pos)
    ) WITHOUT ROWID;
    CREATE TABLE letters (
        topic INT, part INT, pos INT, last INT, came INT, met INT DEFAULT 0, PRIMARY KEY (topic, part, pos)
    ) WITHOUT ROWID;
    CREATE TABLE refused (id BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE progress (
        topic INT, part INT, first INT, last INT, began INT, committed INT, reached INT, PRIMARY KEY (topic, part)
    ) WITHOUT ROWID;
    CREATE TABLE suspects (id BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE findings (fault TEXT, id TEXT, topic TEXT, part INT, pos INT, detail TEXT);
    CREATE TABLE page (id BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE VIEW judged AS
        SELECT r.*, r.pos >= p.committed AS open, r.pos < p.committed AND r.pos >= p.reached AS skipped, coalesce((
            SELECT l.last FROM letters l WHERE l.topic = r.topic AND l.part = r.part AND l.pos <= r.pos
                AND l.came >= r.came - 300000 ORDER BY l.pos DESC LIMIT 1
        ), -1) >= r.pos AS dead
        FROM records r JOIN progress p ON p.topic = r.topic AND p.part = r.part;
    CREATE VIEW judged_odd AS
        SELECT o.*, o.pos >= p.committed AS open, coalesce((
            SELECT l.last FROM letters l WHERE l.topic = o.topic AND l.part = o.part AND l.pos <= o.last
                AND l.came >= o.came - 300000 ORDER BY l.pos DESC LIMIT 1
        ), -1) >= o.pos AS dead
        FROM odd o JOIN progress p ON p.topic = o.topic AND p.part = o.part;
"""
UNSORTED: Final = """
    INSERT INTO unsorted (id, content, plan, topic, part, pos, came, recipient, way) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
RECORD: Final = """
    INSERT OR REPLACE INTO records (id, content, plan, topic, part, pos, came, recipient, way)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SORT: Final = """
    INSERT OR REPLACE INTO records (id, topic, part, pos, content, plan, came, recipient, way)
    SELECT id, topic, part, pos, content, plan, came, recipient, way FROM unsorted ORDER BY 1, 2, 3, 4
"""
SEEN: Final = """
    SELECT id, content, plan, way, recipient, topic, part, min(pos), count(*), dead, open, skipped FROM judged
    WHERE id IN (SELECT id FROM page) GROUP BY id, content, plan, way, topic, part, dead, open, skipped
"""
MEET_RECORDS: Final = """
    UPDATE letters SET met = 1 WHERE (topic, part, pos) IN (
        SELECT r.topic, r.part, (
            SELECT l.pos FROM letters l WHERE l.topic = r.topic AND l.part = r.part AND l.pos <= r.pos
            ORDER BY l.pos DESC LIMIT 1
        ) FROM judged r WHERE r.id IN (SELECT id FROM page) AND r.dead
    )
"""
MEET_ODD: Final = """
    UPDATE letters SET met = 1 WHERE coalesce((
        SELECT o.last FROM odd o WHERE o.topic = letters.topic AND o.part = letters.part AND o.pos <= letters.last
        ORDER BY o.pos DESC LIMIT 1
    ), -1) >= letters.pos
"""
UNMET: Final = """
    SELECT l.topic, l.part, l.pos FROM letters l JOIN progress p ON p.topic = l.topic AND p.part = l.part
    WHERE NOT l.met AND l.pos >= p.first AND l.pos < p.last AND l.came >= p.began ORDER BY 1, 2, 3
"""
ODD_WITHOUT_LETTER: Final = """
    SELECT topic, part, pos, error FROM judged_odd WHERE NOT open AND NOT dead ORDER BY topic, part, pos
"""
LETTER: Final = """
    INSERT INTO letters (topic, part, pos, last, came) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET last = max(last, excluded.last), came = max(came, excluded.came)
"""
