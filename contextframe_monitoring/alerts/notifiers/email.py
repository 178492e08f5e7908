"""E-mail through an SMTP server."""

from __future__ import annotations

import email.message
import email.policy
import email.utils
import smtplib

from contextframe_monitoring.alerts.http_post import trouble, trust
from contextframe_monitoring.alerts.notifier import DeliveryError, Sent
from contextframe_monitoring.alerts.secrets import Secrets
from contextframe_monitoring.core.address import is_loopback
from contextframe_monitoring.core.channel_settings import EmailChannel
from contextframe_monitoring.core.notification import Notification, plain_text

_DOMAIN = "contextframe-monitoring.invalid"
"""Right side of message ids: a name that is nobody's (RFC 2606)."""
_PRIORITY = {"critical": "high", "error": "high"}


class EmailNotifier:
    """Mails some people: those whom the server refuses are told of, the others get their mail."""

    acknowledges = False

    def __init__(self, channel: EmailChannel, secrets: Secrets) -> None:
        """Nothing is sent yet."""
        self._channel, self._secrets = channel, secrets

    def send(self, notification: Notification) -> Sent:
        """Send one mail to all recipients. Raises `DeliveryError` when nobody gets it."""
        channel = self._channel
        try:
            with self._connected() as server:
                refused = server.send_message(
                    mail(notification, channel), channel.sender, list(channel.recipients)
                )
        except smtplib.SMTPRecipientsRefused as error:
            raise DeliveryError(f"every recipient is refused: {self._said(error)}") from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(f"SMTP {error.smtp_code}: {self._text(error.smtp_error)}") from None
        except smtplib.SMTPException as error:
            raise DeliveryError(self._why(error)) from None
        except (OSError, ValueError) as error:
            raise DeliveryError(trouble(error, channel.timeout_seconds)) from None
        return Sent({who: f"{code} {self._text(why)}" for who, (code, why) in refused.items()})

    def _connected(self) -> smtplib.SMTP:
        channel = self._channel
        if channel.password and channel.security == "none" and not is_loopback(channel.host):
            raise DeliveryError('security = "none" would show its password to everybody')
        server = _open(channel)
        try:
            if channel.security == "starttls":
                server.starttls(context=trust(channel.ca_file))
            if channel.username is not None and channel.password is not None:
                server.login(channel.username, self._secrets.read("password", channel.password))
        except BaseException:
            server.close()
            raise
        return server

    def _why(self, error: smtplib.SMTPException) -> str:
        behind = error.__context__
        if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(behind, OSError):
            return trouble(behind, self._channel.timeout_seconds)
        return f"SMTP: {self._text(str(error))}"

    def _said(self, error: smtplib.SMTPRecipientsRefused) -> str:
        return "; ".join(
            f"{who}: {code} {self._text(why)}" for who, (code, why) in error.recipients.items()
        )

    def _text(self, said: bytes | str) -> str:
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return self._secrets.scrubbed(text)


def _open(channel: EmailChannel) -> smtplib.SMTP:
    host, port, timeout = channel.host, channel.port, channel.timeout_seconds
    if channel.security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=trust(channel.ca_file))
    return smtplib.SMTP(host, port, timeout=timeout)


def mail(notification: Notification, channel: EmailChannel) -> email.message.EmailMessage:
    """Return the mail. All that belongs to one group of alerts is one conversation; a mail that is
    sent twice carries one id.
    """
    made = email.message.EmailMessage(policy=email.policy.SMTP)
    made["Subject"] = notification.title
    made["From"] = channel.sender
    made["To"] = ", ".join(channel.recipients)
    made["Date"] = email.utils.formatdate(notification.at_us / 1_000_000)
    made["Message-ID"] = f"<{notification.delivery_id}@{_DOMAIN}>"
    made["References"] = f"<{notification.thread}@{_DOMAIN}>"
    made["Importance"] = _PRIORITY.get(notification.severity, "normal")
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(plain_text(notification) + "\n")
    return made
