package commands

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"

	"k3srun.test/lab/k3s/internal/certificates"
)

// Certificate is `k3s certificate`. It works on files, with a server or without.
func Certificate() *cli.Command {
	flags := func() []cli.Flag {
		return []cli.Flag{
			dataDirFlag(),
			&cli.StringSliceFlag{Name: "service", Aliases: []string{"s"}, Usage: "List of services to work on"},
		}
	}
	return &cli.Command{
		Name: "certificate", Usage: "Manage K3s certificates",
		Subcommands: []*cli.Command{
			{
				Name: "check", Usage: "Check K3s component certificates on disk", Action: checkCertificates,
				Flags: append(flags(), &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "Format output. Options: text, table, json"}),
			},
			{Name: "rotate", Usage: "Rotate K3s component certificates on disk", Flags: flags(), Action: rotateCertificates},
		},
	}
}

func rotateCertificates(c *cli.Context) error {
	host := certificates.Find(layoutFrom(c))
	backup, err := rotateHost(host, c.StringSlice("service"))
	if err != nil {
		return err
	}
	logrus.Infof("Successfully backed up certificates to %s, please restart k3s server or agent to rotate certificates", backup)
	return nil
}

func rotateHost(host certificates.Host, services []string) (string, error) {
	if len(services) == 0 {
		logrus.Infof("%s certificates", map[bool]string{true: "Server detected, rotating agent and server", false: "Agent detected, rotating agent"}[host.IsServer])
	}
	return host.Rotate(services)
}

func checkCertificates(c *cli.Context) error {
	host := certificates.Find(layoutFrom(c))
	logrus.Infof("%s certificates", map[bool]string{true: "Server detected, checking agent and server", false: "Agent detected, checking agent"}[host.IsServer])
	format := c.String("output")
	if !slices.Contains([]string{"text", "table", "json"}, format) {
		return fmt.Errorf("invalid output format %s", format)
	}
	found, err := host.Check(c.StringSlice("service"))
	if err != nil {
		return err
	}
	switch format {
	case "json":
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"Certificates": found})
	case "table":
		return printCertificates(found)
	}
	for _, cert := range found {
		subject := fmt.Sprintf("%s: certificate %s (%s)", cert.Filename, cert.Subject, strings.Join(cert.Usages, ","))
		expiry := cert.ExpiryTime.Format(time.RFC3339)
		switch cert.Status {
		case "OK":
			logrus.Infof("%s is ok, expires at %s", subject, expiry)
		case "WARNING":
			logrus.Warnf("%s will expire within 120 days at %s", subject, expiry)
		default:
			logrus.Errorf("%s has expired at %s", subject, expiry)
		}
	}
	return nil
}

func printCertificates(found []certificates.Certificate) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprint(table, "\nFILENAME\tSUBJECT\tUSAGES\tEXPIRES\tRESIDUAL TIME\tSTATUS\n--------\t-------\t------\t-------\t-------------\t------\n")
	for _, cert := range found {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", cert.Filename, cert.Subject, strings.Join(cert.Usages, ","),
			cert.ExpiryTime.Format("Jan 02, 2006 15:04 MST"), certificates.Rounded(cert.ResidualTime), cert.Status)
	}
	return table.Flush()
}
