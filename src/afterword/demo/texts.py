"""The words of the demo: its definitions, and the page that explains the directory."""

from __future__ import annotations

DEFINITIONS = """\
# Campaigns of the demo. Change something (a deadline, a kind, the counting), then run again; README.txt says how.
workspace: {timezone: America/New_York, currency: USD}

campaigns:
  # The e-mail test that MineThatData published in 2008, rebuilt from its totals.
  - id: email-test
    name: Men's or women's merchandise
    channels: [email]
    tags: [published]
    variants:
      - {id: mens, name: Mens E-Mail, share: 33.33}
      - {id: womens, name: Womens E-Mail, share: 33.33}
      - {id: control, name: No E-Mail, control: true, share: 33.34}
    conversion_events:
      - {kind: purchase, deadline: 14 days}
      - {kind: session, deadline: 14 days}

  # Who went to a newer version of the app within a week? Invented.
  - id: update-app
    name: Update to 1.10
    channels: [push]
    variants:
      - {id: short, name: A new version is here, share: 40}
      - {id: reasons, name: Five reasons to update, share: 40}
      - {id: control, control: true, share: 20}
    conversion_events:
      - {kind: upgrade, apps: [android, ios], deadline: 7 days}
      - kind: custom
        name: feature_used
        deadline: 7 days
        where:
          - {property: feature.name, op: "=", value: offline}
          - {property: "packs[].id", op: in, value: [city, coast]}
      - {kind: session, apps: [android, ios], deadline: 2 days}

canvases:
  # New customers; who signs up or buys again later enters again. Invented.
  - id: welcome
    name: Welcome
    counting: once_per_exposure
    steps:
      - {id: hello, name: Hello}
      - {id: tips, name: Three tips}
      - {id: offer, name: Ten percent off}
    variants:
      - {id: story, name: Three messages, share: 45}
      - {id: short, name: Two messages, share: 45}
      - {id: control, control: true, share: 10}
    conversion_events:
      - {kind: purchase, deadline: 10 days}
      - kind: custom
        name: profile_completed
        deadline: 3 days
        where: [{property: profile.fields, op: ">=", value: 5}]
      - {kind: message_click, deadline: 3 days}
"""

README = """\
The files of `afterword demo`
=============================

campaigns.yaml                 what counts as a success: three campaigns with their variants and conversion events
exposures-email-test.parquet   who got which e-mail, or none, and when
events-email-test.parquet      what these customers and others did, before, during and after the two weeks
exposures-welcome.csv          entries into the Canvas "welcome"
step-messages-welcome.csv      the messages of its steps
events-welcome.csv             what its entrants did
exposures-update-app.csv       who got the push message of "update-app", or none
events-update-app.csv          their sessions and upgrades, on all their devices

email-test is the e-mail test that MineThatData published in 2008, rebuilt from its totals: 64,000 customers, and per
arm exactly as many visits, buyers and cents. The rest is invented: people, times, products, and everything that must
not count (earlier purchases, visits after the two weeks, other customers, mail proxies).
welcome and update-app are invented from one end to the other.

Three rows of the CSV files are broken on purpose, and 400 rows of events-email-test.parquet are there twice: see what
Afterword says about them.

Run it again, here, after you have changed something:

  afterword run campaigns.yaml --exposures "exposures-*" --events "events-*" --step-messages "step-messages-*" --force

Try:
  - in campaigns.yaml, `deadline: 14 days` of the purchase to `3 days`: fewer buyers, less revenue
  - in campaigns.yaml, `counting: once_per_exposure` to `once_per_user`
  - in events-welcome.csv, a purchase of one entrant moved by an hour, a day, a month
  - afterword explain welcome n-0060
  - afterword users email-test --variant mens --event A --converted
"""
