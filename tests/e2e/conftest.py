"""What the tests share: a page in a real Chromium."""

from tests.browser import browser as browser
from tests.browser import page as page
