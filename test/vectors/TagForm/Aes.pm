# AES-256 in counter mode (FIPS 197, NIST SP 800-38A) from a first block of zero.
package TagForm::Aes;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(aes256_counter);

sub times_x { my ($byte) = @_; return ($byte << 1 ^ ($byte & 0x80 ? 0x11b : 0)) & 0xff; }

my @sbox = (0x63);
{
    my ($p, $q) = (1, 1);    # each other's inverse
    do
    {
        $p = $p ^ times_x($p);
        $q ^= $q << 1;
        $q ^= $q << 2;
        $q ^= $q << 4;
        $q &= 0xff;
        $q ^= 0x09 if $q & 0x80;
        my $s = $q;
        $s ^= ($q << $_ | $q >> 8 - $_) & 0xff for 1 .. 4;
        $sbox[$p] = $s ^ 0x63;
    } while ($p != 1);
}

sub round_keys
{
    my ($key) = @_;
    my @words = map { [unpack 'C4', substr $key, 4 * $_, 4] } 0 .. 7;
    my $constant = 1;
    for my $i (8 .. 59)
    {
        my @word = @{$words[$i - 1]};
        if ($i % 8 == 0)
        {
            @word = map { $sbox[$_] } @word[1, 2, 3, 0];
            $word[0] ^= $constant;
            $constant = times_x($constant);
        }
        elsif ($i % 8 == 4) { @word = map { $sbox[$_] } @word; }
        push @words, [map { $word[$_] ^ $words[$i - 8][$_] } 0 .. 3];
    }
    return map { my $round = $_; [map { @{$words[4 * $round + $_]} } 0 .. 3] } 0 .. 14;
}

sub encrypt
{
    my ($keys, @state) = @_;
    @state = map { $state[$_] ^ $keys->[0][$_] } 0 .. 15;
    for my $round (1 .. 14)
    {
        my @moved = map { $sbox[$state[($_ + 4 * ($_ % 4)) % 16]] } 0 .. 15;
        if ($round < 14)
        {
            my @mixed;
            for my $column (0 .. 3)
            {
                my @a = @moved[4 * $column .. 4 * $column + 3];
                push @mixed, map {
                    my ($b, $c) = ($a[$_], $a[($_ + 1) % 4]);
                    times_x($b) ^ times_x($c) ^ $c ^ $a[($_ + 2) % 4] ^ $a[($_ + 3) % 4]
                } 0 .. 3;
            }
            @moved = @mixed;
        }
        @state = map { $moved[$_] ^ $keys->[$round][$_] } 0 .. 15;
    }
    return pack 'C16', @state;
}

# The first $blocks blocks, of 16 bytes, of the key stream.
sub aes256_counter
{
    my ($key, $blocks) = @_;
    my $keys = [round_keys($key)];
    return join '', map { encrypt($keys, unpack 'C16', pack 'QQ>', 0, $_) } 0 .. $blocks - 1;
}

1;
