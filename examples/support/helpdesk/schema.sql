CREATE TABLE customer (
  id text PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  company text,
  phone text,
  address text,
  plan text NOT NULL,
  payment_method text
);

CREATE TABLE ticket (
  id text PRIMARY KEY,
  queue text NOT NULL,
  subject text NOT NULL,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'pending', 'closed')),
  priority text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
  assignee text,
  customer_id text NOT NULL REFERENCES customer (id),
  channel text NOT NULL,
  language text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX ticket_queue ON ticket (queue, created_at);

CREATE TABLE message (
  ticket_id text NOT NULL REFERENCES ticket (id),
  position integer NOT NULL,
  author text NOT NULL,
  sent_at timestamptz NOT NULL,
  body text NOT NULL,
  PRIMARY KEY (ticket_id, position)
);

CREATE TABLE kb_article (
  id text PRIMARY KEY,
  title text NOT NULL,
  url text NOT NULL,
  keywords text NOT NULL,
  body text NOT NULL,
  search tsvector GENERATED ALWAYS AS (
    setweight(to_tsvector('english', title), 'A')
    || setweight(to_tsvector('simple', keywords), 'A')
    || setweight(to_tsvector('english', body), 'C')
  ) STORED
);
CREATE INDEX kb_article_search ON kb_article USING gin (search);

CREATE TABLE draft (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
  ticket_id text NOT NULL REFERENCES ticket (id),
  body text NOT NULL,
  citations jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE refund (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
  ticket_id text NOT NULL REFERENCES ticket (id),
  idempotency_key text NOT NULL UNIQUE,
  amount_cents integer NOT NULL CHECK (amount_cents > 0),
  currency text NOT NULL,
  reason text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE email (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
  ticket_id text NOT NULL REFERENCES ticket (id),
  recipient text NOT NULL,
  subject text NOT NULL,
  body text NOT NULL,
  -- 'sending' that stays: the process died while the mail server had it; somebody has to look.
  state text NOT NULL DEFAULT 'sending' CHECK (state IN ('sending', 'sent', 'failed')),
  message_id text,
  error text,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE change (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ticket_id text NOT NULL REFERENCES ticket (id),
  field text NOT NULL,
  before text,
  after text,
  note text,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Its one row says that the schema above and the written tickets are there.
CREATE TABLE loaded (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  at timestamptz NOT NULL DEFAULT now()
);
