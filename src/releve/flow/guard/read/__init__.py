"""Stage one, read: notifications taken in and routed, trees and mapped files looked at."""
