package certificates

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

const (
	day = 24 * time.Hour
	// renewal is how long before its end a certificate is made again by the next start.
	renewal = 120 * day
)

// Certificate is one of a file, which has the chain, too.
type Certificate struct {
	Filename     string
	Subject      string
	Issuer       string
	Usages       []string
	ExpiryTime   time.Time
	ResidualTime time.Duration
	Status       string
}

// Check reads the certificates of services.
func (h Host) Check(services []string) ([]Certificate, error) {
	chosen, err := h.chosen(services)
	if err != nil {
		return nil, err
	}
	var found []Certificate
	for _, service := range chosen {
		for _, file := range h.files()[service] {
			certificates, err := readFile(file + ".crt")
			if err != nil {
				return nil, err
			}
			found = append(found, certificates...)
		}
	}
	return found, nil
}

func readFile(path string) ([]Certificate, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var found []Certificate
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			return found, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		residual := time.Until(cert.NotAfter)
		status := "OK"
		if residual <= 0 {
			status = "EXPIRED"
		} else if residual < renewal {
			status = "WARNING"
		}
		found = append(found, Certificate{
			Filename: filepath.Base(path), Subject: cert.Subject.CommonName, Issuer: cert.Issuer.CommonName, Usages: usages(cert),
			ExpiryTime: cert.NotAfter.UTC(), ResidualTime: residual, Status: status,
		})
	}
}

func usages(cert *x509.Certificate) []string {
	if cert.IsCA {
		return []string{"CertSign"}
	}
	var names []string
	for _, usage := range cert.ExtKeyUsage {
		names = append(names, map[x509.ExtKeyUsage]string{
			x509.ExtKeyUsageServerAuth: "ServerAuth", x509.ExtKeyUsageClientAuth: "ClientAuth",
		}[usage])
	}
	return names
}

// Rounded is a time for people: years, or days if it is less than one.
func Rounded(d time.Duration) string {
	count, unit := math.Round(d.Hours()/24/365), "year"
	if d < 330*day {
		count, unit = math.Round(d.Hours()/24), "day"
	}
	if count != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%.0f %s", count, unit)
}
